//! [`Gateway`]: plain HTTP in, the event of a function URL, an HTTP API or a REST API out, as AWS documents them and makes
//! them; and the function's answer back. It decides nothing that AWS does not.
//!
//! | | function URL | HTTP API (format 2.0) | REST API |
//! |---|---|---|---|
//! | path | as it was sent | decoded, behind the stage | as it was sent |
//! | query | as it was sent | as it was sent | decoded, a list of values for each name |
//! | headers | in lower case, those of one name joined by commas | the same | as they were sent, a list for each name |
//! | a host that is not its own | answered by AWS | the same | the same |

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_stories::PATIENCE;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::function::{Front, Function};

/// The stage of an HTTP API that is not `$default`, so that it stands in front of every path.
const STAGE: &str = "live";

/// A front of a function. Its thread ends with the test's process.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
}

/// A request as it came.
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Gateway {
    /// Listens, and lets this function answer.
    pub(crate) fn before(function: &Arc<Function>, front: Front) -> Self {
        // The thread outlives the test, and must not keep the emulator.
        let function = Arc::downgrade(function);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(function) = function.upgrade() else { return };
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let Some(request) = Request::read(&mut stream) else { continue };
                let is_head = request.method == "HEAD";
                let answer = if request.header("host") == [address.to_string()] {
                    function.invoke(&event(front, &request))
                } else {
                    // It would reach no function: AWS routes by this name.
                    json!({ "statusCode": 403, "headers": { "content-type": "application/json" },
                            "body": r#"{"message":"Forbidden"}"# })
                };
                // A caller that went away is none of the test's.
                let _ = stream.write_all(&written(&answer, is_head));
            }
        });
        Self { address }
    }
}

impl Request {
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 8 << 10];
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).unwrap();
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let request = Self { method, path, query, headers, body: Vec::new() };
        let length = request.header("content-length").first().map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                read => body.extend_from_slice(&buffer[..read]),
            }
        }
        Some(Self { body, ..request })
    }

    fn header(&self, name: &str) -> Vec<String> {
        let all = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        all.map(|(_, value)| value.clone()).collect()
    }

    /// A body and whether it is base64: what is no text is.
    fn body(&self) -> (Value, bool) {
        match std::str::from_utf8(&self.body) {
            Ok("") => (Value::Null, false),
            Ok(text) => (json!(text), false),
            Err(_) => (json!(STANDARD.encode(&self.body)), true),
        }
    }
}

fn event(front: Front, request: &Request) -> Value {
    let (body, is_base64) = request.body();
    let (id, domain) = match front {
        Front::Url => ("urlid", "urlid.lambda-url.eu-west-1.on.aws"),
        Front::HttpApi => ("apiid", "apiid.execute-api.eu-west-1.amazonaws.com"),
        Front::RestApi => ("restid", "restid.execute-api.eu-west-1.amazonaws.com"),
    };
    // The caller asked for its name; here that is the address of this gateway.
    let sent = request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    let own = [("Host", domain), ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")];
    let headers: Vec<(&str, &str)> =
        own.into_iter().chain(sent.map(|(name, value)| (name.as_str(), value.as_str()))).collect();
    if front == Front::RestApi {
        let mut many: Map<String, Value> = Map::new();
        for (name, value) in headers {
            push(&mut many, name, value);
        }
        let mut parameters: Map<String, Value> = Map::new();
        for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            push(&mut parameters, &form(name), &form(value));
        }
        return json!({
            "resource": "/{proxy+}", "path": request.path, "httpMethod": request.method, "headers": {},
            "multiValueHeaders": many, "queryStringParameters": null, "multiValueQueryStringParameters": parameters,
            "pathParameters": null, "stageVariables": null, "body": body, "isBase64Encoded": is_base64,
            "requestContext": {
                "apiId": id, "domainName": domain, "stage": STAGE, "path": format!("/{STAGE}{}", request.path),
                "httpMethod": request.method, "identity": { "sourceIp": "192.0.2.3" }, "authorizer": null,
            },
        });
    }
    let (path, stage) = match front {
        Front::HttpApi => {
            let decoded = percent_decode_str(&request.path).decode_utf8_lossy().into_owned();
            (format!("/{STAGE}{decoded}"), STAGE)
        }
        _ => (request.path.clone(), "$default"),
    };
    let mut joined: Map<String, Value> = Map::new();
    for (name, value) in headers {
        let name = name.to_lowercase();
        let value = match joined.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.to_owned(),
        };
        joined.insert(name, json!(value));
    }
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": request.query,
        "headers": joined, "body": body, "isBase64Encoded": is_base64,
        "requestContext": {
            "apiId": id, "domainName": domain, "stage": stage, "routeKey": "$default",
            "http": { "method": request.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.3" },
        },
    })
}

fn push(many: &mut Map<String, Value>, name: &str, value: &str) {
    let list = many.entry(name).or_insert_with(|| json!([]));
    list.as_array_mut().unwrap().push(json!(value));
}

fn form(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The function's answer as HTTP. One that is none is AWS's own 502.
fn written(answer: &Value, is_head: bool) -> Vec<u8> {
    let Some(status) = answer["statusCode"].as_u64() else {
        let body = r#"{"message":"Internal server error"}"#;
        let head = "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n";
        return format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes();
    };
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text).unwrap(),
        _ => text.as_bytes().to_vec(),
    };
    let mut head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n");
    for (name, values) in answer["headers"].as_object().or(answer["multiValueHeaders"].as_object()).unwrap() {
        let values = values.as_array().map_or_else(|| vec![values], |many| many.iter().collect());
        for value in values {
            head.extend([name, ": ", value.as_str().unwrap(), "\r\n"]);
        }
    }
    if status != 304 {
        head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    let has_body = !(is_head || status == 304);
    [head.as_bytes(), if has_body { &body } else { b"" }].concat()
}
