//! `-json` and `-t`, which every command that shows objects has.

use crate::context::Context;
use crate::failure::Failure;
use crate::json::pretty_sorted;
use crate::{shape, template};
use serde_json::Value;

impl Context {
    /// Whether JSON or a template was asked for; both is a mistake.
    pub(crate) fn wants_data(&self) -> Result<bool, Failure> {
        let json = self.given.on("json");
        let template = !self.given.text("t").is_empty();
        if json && template {
            return Err("Both json and template formatting are not allowed".into());
        }
        Ok(json || template)
    }

    /// Prints an object as asked for.
    pub(crate) fn data(&mut self, value: &Value, type_name: &str) -> Result<(), Failure> {
        let source = self.given.text("t");
        let value = shape::of(value.clone(), type_name);
        let text = match source.is_empty() {
            true => pretty_sorted(&value),
            false => template::render(source, &value, type_name)
                .map_err(|error| format!("Error formatting the data: {error}"))?,
        };
        self.ui.out(&text);
        Ok(())
    }

    /// Prints an object when JSON or a template was asked for; says whether it did.
    pub(crate) fn data_if_wanted(
        &mut self,
        value: &Value,
        type_name: &str,
    ) -> Result<bool, Failure> {
        let wanted = self.wants_data()?;
        if wanted {
            self.data(value, type_name)?;
        }
        Ok(wanted)
    }
}
