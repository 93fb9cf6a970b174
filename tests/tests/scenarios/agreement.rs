//! The native relay and the one at the edge answer alike.

mod edge {
    use std::collections::BTreeMap;

    use anyhow::{Context as _, Result, ensure};
    use moorline_tests::relay::{Kind, Relay, Setup};
    use moorline_tests::stand_in::ControlLink;
    use moorline_tests::wait::wait_until;
    use reqwest::Method;
    use serde_json::{Value, json};

    const SESSION: &str = "agreement_1";
    const GONE: &str = "not-a-session";

    /// What an answer is about: the values that must agree, and the shape of all others.
    fn shape(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let told = |(name, value): (&String, &Value)| {
                    let kept = ["error", "code", "sessionId", "terminalId", "name", "lifecycle"];
                    let is_kept = kept.contains(&name.as_str()) && !value.is_object();
                    (name.clone(), if is_kept { value.clone() } else { shape(value) })
                };
                Value::Object(fields.iter().map(told).collect())
            }
            Value::Array(items) => Value::Array(items.first().map(shape).into_iter().collect()),
            Value::String(_) => json!("text"),
            Value::Number(_) => json!(0),
            other => other.clone(),
        }
    }

    /// Requests in their order; what one makes is there for the next.
    fn requests() -> Vec<(Method, String, Value)> {
        let mut requests = Vec::new();
        let mut add = |method: Method, path: &str, body: Value| {
            requests.push((method, path.replace(":id", SESSION).replace(":gone", GONE), body));
        };
        let shell = json!({"sessionId": SESSION, "name": "a name", "command": ["cat"]});
        add(Method::POST, "/api/sessions", shell.clone());
        add(Method::POST, "/api/sessions", shell);
        for wrong in [
            json!({"command": []}),
            json!({"driver": "no-such"}),
            json!({"host": "no_such_host"}),
            json!({"project": "no_such_project"}),
            json!({"sessionId": "short"}),
            json!({"cols": 1}),
            json!({"cwd": "/no/such/folder"}),
            json!({"command": ["no-such-program"]}),
            json!({"name": "n".repeat(300)}),
            json!([1]),
        ] {
            add(Method::POST, "/api/sessions", wrong);
        }
        for id in [":id", ":gone", "short"] {
            for what in ["status", "context", "events/status", "no-such"] {
                add(Method::GET, &format!("/api/session/{id}/{what}"), Value::Null);
            }
            add(Method::GET, &format!("/api/terminal/{id}/output"), Value::Null);
            add(Method::GET, &format!("/api/terminal/{id}/output?since=x"), Value::Null);
            for body in [json!({}), json!({"command": ""}), json!({"command": 1}), json!([])] {
                add(Method::POST, &format!("/api/session/{id}/prompt"), body);
            }
            let large = json!({"command": "x".repeat(70_000), "data": "x".repeat(70_000)});
            add(Method::POST, &format!("/api/session/{id}/prompt"), large.clone());
            add(Method::POST, &format!("/api/terminal/{id}/input"), large);
            add(Method::POST, &format!("/api/terminal/{id}/input"), json!({"data": ""}));
            for body in [json!({}), json!({"response": ""}), json!({"response": 1}), json!([])] {
                add(Method::POST, &format!("/api/session/{id}/operations/preview"), body);
            }
            let run = json!({"operations": [{"type": "run", "command": "x"}]});
            let out = json!({"operations": [{"type": "delete", "path": "../x"}]});
            let lacks = json!({"operations": [{"type": "write", "path": "x"}]});
            for body in [run, out, lacks, json!({}), json!({"operations": 1})] {
                add(Method::POST, &format!("/api/session/{id}/operations/execute"), body);
            }
            add(Method::GET, &format!("/api/session/{id}/changes"), Value::Null);
            add(Method::GET, &format!("/api/session/{id}/files?q=x"), Value::Null);
            let long = "x".repeat(129);
            add(Method::GET, &format!("/api/session/{id}/files?q={long}"), Value::Null);
            let keep = json!({"keep": [{"path": "x", "before": null}]});
            for body in [keep, json!({}), json!({"revert": [{}]}), json!({"keep": 1})] {
                add(Method::POST, &format!("/api/session/{id}/changes"), body);
            }
            let text = json!({"response": "<rename path=\"no/such\" to=\"x\"/>"});
            add(Method::POST, &format!("/api/session/{id}/operations/preview"), text);
            add(
                Method::POST,
                &format!("/api/sessions/{id}/move"),
                json!({"projectId": "nowhere1"}),
            );
            add(Method::POST, &format!("/api/sessions/{id}/fork"), json!({"seq": 1_000_000}));
            add(Method::POST, &format!("/api/sessions/{id}/fork"), json!({"seq": 0}));
            add(Method::PATCH, &format!("/api/sessions/{id}"), json!({"name": "another"}));
            add(Method::PATCH, &format!("/api/sessions/{id}"), json!({"name": "n".repeat(300)}));
            add(Method::PUT, &format!("/api/session/{id}"), Value::Null);
        }
        let named = json!({"command": "x", "context": ["/etc/hostname", "/etc/hostname"]});
        add(Method::POST, "/api/session/:id/prompt", named);
        add(Method::GET, "/api/session/:id/context", Value::Null);
        for (method, path) in [
            (Method::GET, "/api/hosts"),
            (Method::GET, "/api/projects"),
            (Method::GET, "/api/sessions"),
            (Method::GET, "/api/sessions?limit=0"),
            (Method::GET, "/api/sessions?lifecycle=x"),
            (Method::GET, "/api/tokens"),
            (Method::GET, "/api/projects/nowhere1"),
            (Method::DELETE, "/api/projects/short"),
            (Method::DELETE, "/api/tokens/nothing"),
            (Method::GET, "/api/no-such"),
            (Method::DELETE, "/api/sessions"),
        ] {
            add(method, path, Value::Null);
        }
        for body in [json!({"name": ""}), json!({"name": "n".repeat(300)}), json!({})] {
            add(Method::POST, "/api/projects", body);
        }
        add(Method::POST, "/api/tokens", json!({"scope": "no-such"}));
        add(Method::POST, "/api/terminal", json!({"sessionId": GONE}));
        add(Method::POST, "/api/terminal", json!({"workingDir": "/no/such/folder"}));
        for id in [":id", ":gone", "short"] {
            add(Method::DELETE, &format!("/api/session/{id}"), Value::Null);
        }
        add(Method::DELETE, "/api/session/:id", Value::Null);
        requests
    }

    async fn answers(kind: Kind) -> Result<Vec<(String, Value)>> {
        let relay = Relay::start_as(kind, Setup::default()).await?;
        let api = relay.api();
        let mut answers = Vec::new();
        for (method, path, body) in requests() {
            let what = format!(
                "{method} {path} {}",
                body.to_string().chars().take(60).collect::<String>()
            );
            let mut request = api.request(method, &path);
            if !body.is_null() {
                request = request.json(&body);
            }
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let text = answer.text().await?;
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            answers.push((what, json!([status, shape(&body)])));
        }
        Ok(answers)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_same_requests_have_the_same_answers() -> Result<()> {
        let native: BTreeMap<_, _> = answers(Kind::Native).await?.into_iter().collect();
        let edge: BTreeMap<_, _> = answers(Kind::Edge).await?.into_iter().collect();
        let differ: Vec<_> = native
            .iter()
            .filter(|(what, answer)| edge.get(*what) != Some(answer))
            .map(|(what, answer)| {
                format!("{what}\n  native: {answer}\n  edge: {:?}", edge.get(what))
            })
            .collect();
        ensure!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
        Ok(())
    }

    /// A host that is away, on any relay.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_host_that_is_away_would_have_to_tell_is_not_made_up() -> Result<()> {
        for kind in [Kind::Native, Kind::Edge] {
            let relay = Relay::start_as(kind, Setup::default()).await?;
            let api = relay.api();
            let id: moorline_shared::id::SessionId = "of_a_machine".parse()?;
            let hosted = moorline_tests::stand_in::hosted(&id, 7);
            let control =
                ControlLink::welcomed(&relay, &"machine_1".parse()?, vec![hosted]).await?;
            let path = format!("/api/session/{id}/context");
            drop(control);
            wait_until("the host to be away", async || {
                let hosts = api.expect(200, Method::GET, "/api/hosts", Value::Null).await;
                let hosts = hosts.unwrap_or_default();
                let is_away =
                    |host: &Value| host["hostId"] == "machine_1" && host["connected"] == false;
                hosts["hosts"].as_array().is_some_and(|hosts| hosts.iter().any(is_away))
            })
            .await?;
            let refused = api.expect(503, Method::GET, &path, Value::Null).await?;
            ensure!(refused["code"] == "host_offline", "{kind:?}: {refused}");
            let files = format!("/api/session/{id}/files");
            let refused = api.expect(503, Method::GET, &files, Value::Null).await?;
            ensure!(refused["code"] == "host_offline", "{kind:?}: {refused}");
            let text = json!({"response": "x"});
            let preview = format!("/api/session/{id}/operations/preview");
            let refused = api.expect(503, Method::POST, &preview, text).await?;
            ensure!(refused["code"] == "host_offline", "{kind:?}: {refused}");
            // A terminal beside its session would run there too, and nowhere else.
            let wish = json!({"sessionId": id});
            let refused = api.expect(503, Method::POST, "/api/terminal", wish).await?;
            ensure!(refused["code"] == "host_offline", "{kind:?}: {refused}");
            let list = api.expect(200, Method::GET, "/api/hosts", Value::Null).await?;
            let hosts = list["hosts"].as_array().context("no hosts")?;
            ensure!(hosts.len() == 2, "{kind:?}: {list}");
        }
        Ok(())
    }
}
