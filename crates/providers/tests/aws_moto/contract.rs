//! The contract of every provider, kept on both imitations.

use async_trait::async_trait;
use base64::Engine as _;
use lockstep_core::{
    Call, Capabilities, Encoding, ErrorKind, Filter, Metadata, Page, Paged, Payload, Provider, Result, Rotation, Scope,
    Secret, SecretName, Selector, VersionInfo,
};
use lockstep_testkit::contract::{Harness, Shape, run};
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, unique};
use serde_json::json;

use super::{Aws, name};

/// Cuts pages by itself: moto does not look at `MaxResults` and answers longer ones than were asked for. So moto can show
/// the rest of the contract; ministack shows the pages.
pub(super) struct Cut<P>(pub(super) P);

impl<P: Provider> Cut<P> {
    fn part<T>(all: Vec<T>, page: &Page) -> Paged<T> {
        let from = page.token.as_deref().map_or(0, |token| token.parse().unwrap());
        let to = page.limit.map_or(all.len(), |limit| from + usize::from(limit)).min(all.len());
        let next = (to < all.len()).then(|| to.to_string());
        Paged { items: all.into_iter().skip(from).take(to - from).collect(), next }
    }
}

#[async_trait]
impl<P: Provider> Provider for Cut<P> {
    fn scope(&self) -> &Scope {
        self.0.scope()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        self.0.selector(text)
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.0.get(call, name, selector).await
    }

    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        self.0.get_many(call, wanted).await
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        self.0.describe(call, name).await
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        // moto breaks with a 500 when there is no such secret.
        self.0.get(call, name, &Selector::Current).await?;
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let part = self.0.versions(call, name, Page { token, limit: None }).await?;
            all.extend(part.items);
            token = part.next;
            if token.is_none() {
                return Ok(Self::part(all, &page));
            }
        }
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let part = self.0.list(call, prefix, filter, Page { token, limit: None }).await?;
            all.extend(part.items);
            token = part.next;
            if token.is_none() {
                return Ok(Self::part(all, &page));
            }
        }
    }

    async fn rotate(&self, call: &Call, name: &SecretName) -> Result<Rotation> {
        self.0.rotate(call, name).await
    }

    async fn check(&self, call: &Call) -> Result<()> {
        self.0.check(call).await
    }
}

pub(super) struct Secrets {
    aws: Aws,
    provider: Box<dyn Provider>,
    prefix: String,
    pub(super) selectors: Vec<(&'static str, Selector)>,
}

impl Secrets {
    pub(super) fn on(aws: Aws, provider: Box<dyn Provider>) -> Self {
        let id = "0a1b2c3d-0000-4000-8000-000000000001";
        let selectors = vec![
            (id, Selector::Id(id.into())),
            ("AWSPENDING", Selector::Label("AWSPENDING".into())),
            ("AWSCURRENT", Selector::Current),
            ("3", Selector::Label("3".into())),
        ];
        Self { provider, prefix: format!("{}/", unique("contract")), aws, selectors }
    }
}

#[async_trait]
impl Harness for Secrets {
    fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    fn call(&self) -> Call {
        self.aws.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("{}{word}", self.prefix))
    }

    fn prefix(&self) -> String {
        self.prefix.clone()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Whole(field) = payload else { panic!("it keeps whole values") };
        let (member, value) = match field.encoding {
            Encoding::Binary => {
                ("SecretBinary", base64::engine::general_purpose::STANDARD.encode(field.value.expose()))
            }
            _ => ("SecretString", field.value.expose_text().unwrap().to_owned()),
        };
        let is_there = self.provider.describe(&self.call(), name).await.is_ok();
        let (operation, id) = if is_there { ("PutSecretValue", "SecretId") } else { ("CreateSecret", "Name") };
        let made = self.aws.secret(operation, json!({id: name.as_str(), member: value})).await;
        // A label of its own keeps a version: ministack forgets at once those that have none, AWS after a while.
        let label =
            json!({"SecretId": name.as_str(), "VersionStage": unique("kept"), "MoveToVersionId": made["VersionId"]});
        self.aws.secret("UpdateSecretVersionStage", label).await;
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.aws.secret("DeleteSecret", json!({"SecretId": name.as_str(), "RecoveryWindowInDays": 7})).await;
        ErrorKind::Deleted
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("00000000-0000-4000-8000-000000000000".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        self.selectors.clone()
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        let arn = secret.id.name.as_str();
        vec![name(arn), name(arn.rsplit_once('-').unwrap().0), secret.name.clone()]
    }
}

pub(super) struct Parameters {
    aws: Aws,
    provider: Box<dyn Provider>,
    prefix: String,
}

impl Parameters {
    pub(super) fn on(aws: Aws, provider: Box<dyn Provider>) -> Self {
        Self { provider, prefix: format!("/{}/", unique("contract")), aws }
    }
}

#[async_trait]
impl Harness for Parameters {
    fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    fn call(&self) -> Call {
        self.aws.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("{}{word}", self.prefix))
    }

    fn prefix(&self) -> String {
        self.prefix.clone()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Whole(field) = payload else { panic!("it keeps whole values") };
        let value = field.value.expose_text().unwrap();
        let input = json!({"Name": name.as_str(), "Value": value, "Type": "SecureString", "Overwrite": true});
        self.aws.parameter("PutParameter", input).await;
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.aws.parameter("DeleteParameter", json!({"Name": name.as_str()})).await;
        ErrorKind::NotFound
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text]
    }

    fn longest(&self) -> usize {
        4096
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("77".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![
            ("3", Selector::Id("3".into())),
            ("03", Selector::Id("3".into())),
            ("prod", Selector::Label("prod".into())),
        ]
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![name(&secret.attributes["ARN"])]
    }
}

#[tokio::test]
async fn secrets_manager_keeps_the_contract_on_moto() {
    let aws = Aws::open(require!(servers::moto()));
    let provider = Box::new(Cut(aws.secrets()));
    run(&Secrets::on(aws, provider)).await;
}

#[tokio::test]
async fn secrets_manager_keeps_the_contract_on_ministack() {
    let aws = Aws::at(require!(servers::ministack()));
    let provider = Box::new(aws.secrets());
    run(&Secrets::on(aws, provider)).await;
}

#[tokio::test]
async fn parameter_store_keeps_the_contract_on_moto() {
    let aws = Aws::open(require!(servers::moto()));
    let provider = Box::new(Cut(aws.parameters()));
    run(&Parameters::on(aws, provider)).await;
}

#[tokio::test]
async fn parameter_store_keeps_the_contract_on_ministack() {
    let aws = Aws::at(require!(servers::ministack()));
    let provider = Box::new(aws.parameters());
    run(&Parameters::on(aws, provider)).await;
}
