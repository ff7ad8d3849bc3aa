//! Room servers that are pointed at this service: the bytes of the official Node and Java ones.

use rtckiosk::protocol::RoomType;
use rtckiosk::protocol::user_sig::Form;
use serde_json::{Value, json};

use super::peer::{APP, Client, JOIN, post, server, sign};
use crate::room_server::peer::Server;

/// Node calls its JSON urlencoded; Java says what it is.
const NODE: &str = "application/x-www-form-urlencoded";
const JAVA: &str = "application/json";

fn target(command: &str, identifier: &str, user_sig: &str, random: &str) -> String {
    format!(
        "/v4/group_open_http_svc/{command}?sdkappid={APP}&identifier={identifier}\
         &usersig={user_sig}&random={random}&contenttype=json"
    )
}

async fn command(server: &Server, sig: &str, command: &str, kind: &str, body: &str) -> Value {
    let random = match kind {
        NODE => "98304",
        _ => "9a7b330a-a736-4e3c-9f3e-0d6f2b3a1c11",
    };
    let target = target(command, "admin", sig, random);
    let reply = post(server.addr, &target, kind, body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn both_official_room_servers_find_what_they_need() {
    let (server, key) = server(|_| {}).await;
    let alice = Client::login(&server, &key, "alice").await;
    for (kind, form, id, encoded) in [
        (NODE, Form::Node, "it's (c3)!", "it%27s %28c3%29%21"),
        (JAVA, Form::Java, "branch7-c3", "branch7-c3"),
    ] {
        let sig = sign(&key, "admin", form, 0);
        let send = |name: &'static str, body: String| {
            let (server, sig) = (&server, sig.clone());
            async move { command(server, &sig, name, kind, &body).await }
        };
        let ok = json!({"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""});
        let create = format!(
            r#"{{"Owner_Account":"admin","Type":"AVChatRoom","GroupId":"{encoded}","Name":"group_name"}}"#
        );
        let created = send("create_group", create.clone()).await;
        let mut expected = ok.clone();
        expected["GroupId"] = id.into();
        assert_eq!(created, expected);
        assert_eq!(
            send("create_group", create.clone()).await["ErrorCode"],
            10025
        );
        let other = create.replace(r#""admin""#, r#""somebody""#);
        assert_eq!(send("create_group", other).await["ErrorCode"], 10021);

        let mut reader = alice.join(id).await;
        let notify = format!(
            r#"{{"GroupId":"{encoded}","Content":"{{\"cmd\":\"notifyPusherChange\",\"data\":\"\"}}"}}"#
        );
        assert_eq!(send("send_group_system_notification", notify).await, ok);
        assert_eq!(
            reader.read().await,
            [r#"system 255 {"cmd":"notifyPusherChange","data":""}"#]
        );
        let text = format!(
            r#"{{"GroupId":"{encoded}","From_Account":"desk","Random":7,"MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"welcome"}}}}]}}"#
        );
        assert_eq!(send("send_group_msg", text).await["MsgSeq"], 2);
        assert_eq!(reader.read().await, ["desk: welcome"]);

        let destroy = format!(r#"{{"GroupId":"{encoded}"}}"#);
        assert_eq!(send("destroy_group", destroy.clone()).await, ok);
        assert_eq!(reader.read().await, ["system 5"]);
        let failed = send("destroy_group", destroy).await;
        assert_eq!(
            failed,
            json!({"ActionStatus": "FAIL", "ErrorCode": 10010, "ErrorInfo": "no such group"})
        );
        assert_eq!(alice.code(JOIN, json!({"GroupId": id})).await, 10010);
    }
    server.stop().await;
}

#[tokio::test]
async fn each_fault_has_its_number() {
    let (server, key) = server(|settings| settings.im.max_groups = 1).await;
    let host = server.login(RoomType::Double, "host").await;
    host.enter("own").await;
    let admin = sign(&key, "admin", Form::Node, 0);
    let alice = sign(&key, "alice", Form::Node, 0);
    let old = sign(&key, "admin", Form::Node, 3601);
    let group = |id: &str| json!({"Owner_Account": "admin", "Type": "AVChatRoom", "GroupId": id, "Name": "n"});
    let destroy = |id: &str| json!({"GroupId": id});
    let public = json!({"Owner_Account": "admin", "Type": "Public", "GroupId": "g", "Name": "n"});
    let long = json!({"GroupId": "own", "Content": "x".repeat(9000)});
    let cases = [
        (
            70020,
            "create_group",
            target("create_group", "admin", &admin, "1").replace("1400000001", "7"),
            group("g"),
        ),
        (
            70009,
            "create_group",
            target("create_group", "admin", "garbage", "1"),
            group("g"),
        ),
        (
            70013,
            "create_group",
            target("create_group", "admin", &alice, "1"),
            group("g"),
        ),
        (
            70001,
            "create_group",
            target("create_group", "admin", &old, "1"),
            group("g"),
        ),
        (
            60010,
            "create_group",
            target("create_group", "alice", &alice, "1"),
            group("g"),
        ),
        (
            10004,
            "create_group",
            target("create_group", "", &admin, "1"),
            group("g"),
        ),
        (
            10004,
            "type",
            target("create_group", "admin", &admin, "1"),
            public,
        ),
        (
            10004,
            "no id",
            target("create_group", "admin", &admin, "1"),
            json!({"Type": "AVChatRoom"}),
        ),
        (
            10015,
            "empty id",
            target("create_group", "admin", &admin, "1"),
            group(""),
        ),
        (
            10015,
            "bad id",
            target("create_group", "admin", &admin, "1"),
            group("a\nb"),
        ),
        (
            10025,
            "own room",
            target("create_group", "admin", &admin, "1"),
            group("own"),
        ),
        (
            10007,
            "own room",
            target("destroy_group", "admin", &admin, "1"),
            destroy("own"),
        ),
        (
            10010,
            "missing",
            target("destroy_group", "admin", &admin, "1"),
            destroy("missing"),
        ),
        (
            80002,
            "long",
            target("send_group_system_notification", "admin", &admin, "1"),
            long,
        ),
        (
            0,
            "first",
            target("create_group", "admin", &admin, "1"),
            group("first"),
        ),
        (
            10002,
            "too many",
            target("create_group", "admin", &admin, "1"),
            group("second"),
        ),
    ];
    for (code, what, target, body) in cases {
        let reply = post(server.addr, &target, JAVA, &body.to_string())
            .await
            .json();
        assert_eq!(reply["ErrorCode"], code, "{what}: {reply}");
    }
    for body in ["", "[]", "{", "a=b", "\u{0}"] {
        let target = target("create_group", "admin", &admin, "1");
        for kind in [NODE, JAVA, "text/plain"] {
            let reply = post(server.addr, &target, kind, body).await.json();
            assert_eq!(reply["ErrorCode"], 10004, "{kind} {body:?}: {reply}");
        }
    }
    let unknown = target("import_group", "admin", &admin, "1");
    let reply = post(server.addr, &unknown, JAVA, "{}").await;
    assert_eq!(
        (reply.status, &reply.json()["ErrorCode"]),
        (404, &json!(10003))
    );
    server.stop().await;
}
