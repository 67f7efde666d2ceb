//! The items of `imports`: claims, and the outcomes of runs.

use serde_json::{Value, json};

use super::request::{Violation, rule};
use super::{IMPORTS, Memory, Response};

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

impl Memory {
    /// `PutItem` with the condition of a claim: the key is new or expired, or the lease of its run has ended.
    pub(super) fn claim_import(&self, body: &Value) -> Result<Response, Violation> {
        rule(body["TableName"] == IMPORTS, || format!("PutItem on {} is not supported", body["TableName"]))?;
        let (item, values) = (&body["Item"], &body["ExpressionAttributeValues"]);
        let key = text(&item["importKey"])?;
        let imports = &mut self.state().imports;
        if let Some(stored) = imports.get(key) {
            let forgotten = number(&stored["expiresAt"])? <= number(&values[":now"])?;
            let dead = stored["bodyHash"] == values[":bodyHash"]
                && stored.get("failures").is_none()
                && number(&stored["leaseUntil"])? <= number(&values[":nowMs"])?;
            if !forgotten && !dead {
                let mut failed = Response::error("PutItem", CONDITION_FAILED);
                failed.body["Item"] = stored.clone();
                return Ok(failed);
            }
        }
        imports.insert(key.to_owned(), item.clone());
        Ok(Response::ok("PutItem", json!({})))
    }

    /// `SET a = :b, c = :d`, on condition that the run is the same.
    pub(super) fn update_import(&self, body: &Value) -> Result<Response, Violation> {
        let fits = body["TableName"] == IMPORTS && body["ConditionExpression"] == "#run = :run";
        rule(fits, || format!("not the update of an import's run: {body}"))?;
        let values = &body["ExpressionAttributeValues"];
        let imports = &mut self.state().imports;
        // A claim whose call failed may have had no effect: without an item the condition fails as well.
        let item = imports.get_mut(text(&body["Key"]["importKey"])?);
        let Some(item) = item.filter(|item| item["run"] == values[":run"]) else {
            return Ok(Response::error("UpdateItem", CONDITION_FAILED));
        };
        let expression = body["UpdateExpression"].as_str().and_then(|text| text.strip_prefix("SET "));
        for assignment in expression.ok_or_else(|| Violation::new("an update that sets nothing"))?.split(", ")
        {
            let (name, value) =
                assignment.split_once(" = ").ok_or_else(|| Violation::new("no assignment"))?;
            item[name] = values[value].clone();
        }
        Ok(Response::ok("UpdateItem", json!({})))
    }
}

fn text(attribute: &Value) -> Result<&str, Violation> {
    attribute["S"].as_str().ok_or_else(|| Violation::new("no string attribute"))
}

fn number(attribute: &Value) -> Result<u64, Violation> {
    let number = attribute["N"].as_str().and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| Violation::new("no number attribute"))
}
