//! The host's side on wasm: [`Fetch`], the transport over the global `fetch`; [`Tasks`], background work as JavaScript's
//! own; and panics, which are told on standard error.
//!
//! What JavaScript gives can't leave its thread, and a port's future may. So each request is a task of JavaScript's, and
//! its answer, in bytes of ours, comes back through a channel.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use js_sys::{Array, Object, Reflect, Uint8Array};
use lockstep_core::{Error, ErrorKind, Limits, Result, Spawn, Task, Transport};
use tokio::sync::oneshot;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = Response)]
    type Answer;

    #[wasm_bindgen(catch)]
    async fn fetch(url: &str, options: &Object) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn status(this: &Answer) -> u16;

    #[wasm_bindgen(method, getter)]
    fn headers(this: &Answer) -> JsValue;

    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    async fn array_buffer(this: &Answer) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = AbortSignal, js_name = timeout)]
    fn abort_after(milliseconds: u32) -> JsValue;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn tell(text: &str);
}

/// The way out: the global `fetch`. It follows no redirect.
#[derive(Debug, Clone, Copy)]
pub struct Fetch;

#[async_trait]
impl Transport for Fetch {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>> {
        let (answer, answered) = oneshot::channel();
        wasm_bindgen_futures::spawn_local(async move {
            // Who asked may be gone; that is its right.
            let _ = answer.send(sent(request, limits).await);
        });
        answered.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the task of a request has gone")))
    }
}

async fn sent(request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>> {
    let options = options(&request, limits).map_err(|_| unavailable("the request can't be put together"))?;
    let answer = fetch(&request.uri().to_string(), &options).await;
    let answer: Answer = answer.map_err(|_| unavailable("`fetch` got no answer"))?.unchecked_into();
    let status = StatusCode::from_u16(answer.status()).map_err(|_| unavailable("the answer has no status"))?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    for pair in Array::from(&answer.headers()).iter() {
        let pair = Array::from(&pair);
        let (name, value) = (pair.get(0).as_string(), pair.get(1).as_string());
        let name = name.and_then(|name| HeaderName::try_from(name).ok());
        let value = value.and_then(|value| HeaderValue::try_from(value).ok());
        let (Some(name), Some(value)) = (name, value) else { return Err(unavailable("a header is none")) };
        response.headers_mut().append(name, value);
    }
    let body = answer.array_buffer().await.map_err(|_| unavailable("the answer was cut short"))?;
    let body = Uint8Array::new(&body);
    if usize::try_from(body.length()).is_ok_and(|length| length > limits.response_bytes) {
        return Err(Error::new(ErrorKind::TooLarge, format!("the answer has over {} bytes", limits.response_bytes)));
    }
    *response.body_mut() = body.to_vec().into();
    Ok(response)
}

fn options(request: &Request<Bytes>, limits: Limits) -> std::result::Result<Object, JsValue> {
    let headers = Array::new();
    for (name, value) in request.headers() {
        // `fetch` names the host by itself.
        if name == http::header::HOST {
            continue;
        }
        let value = value.to_str().map_err(|_| JsValue::NULL)?;
        headers.push(&Array::of2(&name.as_str().into(), &value.into()));
    }
    let options = Object::new();
    let milliseconds = u32::try_from(limits.time.as_millis()).unwrap_or(u32::MAX);
    for (name, value) in [
        ("method", JsValue::from_str(request.method().as_str())),
        ("redirect", JsValue::from_str("manual")),
        ("signal", abort_after(milliseconds)),
        ("headers", headers.into()),
    ] {
        Reflect::set(&options, &name.into(), &value)?;
    }
    if !request.body().is_empty() {
        Reflect::set(&options, &"body".into(), &Uint8Array::from(&request.body()[..]))?;
    }
    Ok(options)
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::Unavailable, message.to_owned())
}

/// Background work as tasks of JavaScript's.
#[derive(Debug, Clone, Copy)]
pub struct Tasks;

impl Spawn for Tasks {
    fn spawn(&self, task: Task) {
        wasm_bindgen_futures::spawn_local(task);
    }
}

/// From now on a panic says on standard error what and where it was. Without this Node sees "unreachable" alone.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| tell(&panic.to_string())));
}
