//! Credentials that clouds give to whatever runs on a machine of theirs, as their own tools find them. They are for the stores
//! of that cloud alone.

use std::time::Duration;

use rusty_s3::Credentials;
use serde::Deserialize;

/// The address at which a machine of a cloud asks about itself.
const ITSELF: &str = "169.254.169.254";
/// On other machines nobody answers there.
const CONNECT: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfRole {
    access_key_id: String,
    secret_access_key: String,
    token: String,
}

#[derive(Deserialize)]
struct OfAccount {
    access_token: String,
}

/// A variable of the environment that is not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn client() -> Option<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(ANSWER);
    builder.build().ok()
}

/// What a request gives, if it succeeds.
async fn answer(request: reqwest::RequestBuilder) -> Option<String> {
    let answer = request.send().await.ok()?.error_for_status().ok()?;
    answer.text().await.ok()
}

/// Those of the role of a machine of Amazon's.
pub(crate) async fn amazon() -> Option<Credentials> {
    if variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value == "true") {
        return None;
    }
    let client = client()?;
    let base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .or_else(|| variable("AWS_METADATA_URL"))
        .unwrap_or_else(|| format!("http://{ITSELF}"));
    let base = base.trim_end_matches('/').trim_end_matches("/latest");
    let session = client
        .put(format!("{base}/latest/api/token"))
        .header("X-aws-ec2-metadata-token-ttl-seconds", "60");
    let session = answer(session).await?;
    let ask = |path: String| {
        let url = format!("{base}/latest/meta-data/iam/security-credentials/{path}");
        answer(client.get(url).header("X-aws-ec2-metadata-token", &session))
    };
    let roles = ask(String::new()).await?;
    let role = roles.lines().next()?.trim().to_owned();
    let found: OfRole = serde_json::from_str(&ask(role).await?).ok()?;
    Some(Credentials::new_with_token(
        found.access_key_id,
        found.secret_access_key,
        found.token,
    ))
}

/// The token of the account of a machine of Google's.
pub(crate) async fn google() -> Option<String> {
    let host = variable("GCE_METADATA_HOST").unwrap_or_else(|| ITSELF.to_owned());
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let request = client()?.get(url).header("Metadata-Flavor", "Google");
    let found: OfAccount = serde_json::from_str(&answer(request).await?).ok()?;
    Some(found.access_token)
}
