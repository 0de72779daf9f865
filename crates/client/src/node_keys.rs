//! Who a node is: its id, and the secret that proves it, kept in files that outlive everything else it knows.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use caravan_model::NodeId;

use crate::client::StartError;
use crate::config::ClientConfig;

/// Id and secret of a node.
pub struct NodeKeys {
    /// Known to everybody.
    pub id: NodeId,
    pub(crate) secret: String,
}

impl NodeKeys {
    /// Those that are kept in the state directory, which is made where there is none; new ones in dev mode.
    ///
    /// # Errors
    /// When the directory or its files cannot be read or made.
    pub fn of(config: &ClientConfig) -> Result<Self, StartError> {
        directory(&config.state_dir, 0o700)?;
        let key = |name: &str| match config.dev {
            true => Ok(uuid::Uuid::new_v4()),
            false => kept(&config.state_dir.join(name)),
        };
        Ok(Self {
            id: NodeId(key("client-id")?),
            secret: key("secret-id")?.to_string(),
        })
    }
}

/// Makes sure that there is a directory with this mode.
pub(crate) fn directory(path: &Path, mode: u32) -> Result<(), StartError> {
    let error = |error| StartError::Directory {
        path: path.to_owned(),
        error,
    };
    fs::create_dir_all(path).map_err(error)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(error)
}

fn kept(path: &Path) -> Result<uuid::Uuid, StartError> {
    let error = |error| StartError::Directory {
        path: path.to_owned(),
        error,
    };
    match fs::read_to_string(path) {
        Ok(text) => match text.trim().to_lowercase().parse() {
            Ok(id) => return Ok(id),
            Err(why) => {
                tracing::error!(path = %path.display(), %why, "not an id: a new one is made")
            }
        },
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(error(why)),
    }
    let id = uuid::Uuid::new_v4();
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| {
        io::Write::write_all(&mut file, id.to_string().as_bytes())?;
        file.sync_all()
    });
    written.map_err(error)?;
    Ok(id)
}
