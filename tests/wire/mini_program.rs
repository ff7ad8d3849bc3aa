//! The official mini-program's conversation with rtcroomd, from login to exit: its paths,
//! query keys in their order, bodies, order and timing, its faults included.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::room_server::peer::{Reply, Server};

/// The headers that wx.request sends.
const WX_HEADERS: &str = "content-type: application/json\r\n\
    User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 11_2 like Mac OS X) MicroMessenger/6.6.6 NetType/WIFI Language/zh_CN\r\n\
    Referer: https://servicewechat.com/wx0123456789abcdef/0/page-frame.html\r\n\
    Accept-Encoding: br, gzip, deflate\r\n";

/// wx.request gives up after a minute.
const WX_TIMEOUT: Duration = Duration::from_secs(60);

const OPENIM: &str = "v4/openim";
const GROUP: &str = "v4/group_open_http_svc";
const BIG_GROUP: &str = "v1/group_open_long_polling_http_noauth_svc";

/// An event that the loops hand to the page.
#[derive(Debug, PartialEq)]
enum Event {
    PushersChanged,
    RoomClosed,
    /// The sender, and the strings of all elements one after the other.
    Text(String, String),
}

/// One mini-program.
struct Mini {
    addr: SocketAddr,
    user: String,
    sdk_app_id: u64,
    account_type: String,
    user_sig: String,
    /// Of the room server.
    token: String,
    /// Of the message service, as in a query.
    identity: String,
    req_seq: AtomicU64,
    polls: AtomicU64,
    in_group: AtomicBool,
}

impl Mini {
    /// wx.request: one request, its answer whatever the HTTP status.
    async fn wx_request(&self, method: &str, target: &str, body: &str) -> Reply {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\n{WX_HEADERS}Connection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        );
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = timeout(WX_TIMEOUT, Reply::read_slowly(&mut stream));
        reply.await.expect("wx.request does not time out")
    }

    async fn room(&self, verb: &str, body: &str) -> Value {
        let (user, token) = (&self.user, &self.token);
        let target = format!("/weapp/double_room/{verb}?userID={user}&token={token}");
        self.wx_request("POST", &target, body).await.json()
    }

    /// A request of the message client: keys and their order are its own.
    async fn im(&self, command: &str, body: &str) -> Value {
        let identity = if command == "v4/openim/login" {
            format!("&identifier={}&usersig={}", self.user, self.user_sig)
        } else {
            format!("&{}", self.identity)
        };
        let now = std::time::SystemTime::now();
        let target = format!(
            "/{command}?websdkappid=537048168&v=1.7.0{identity}&contenttype=json&sdkappid={}\
             &accounttype={}&apn=1&reqtime={}&reqSeq={}",
            self.sdk_app_id,
            self.account_type,
            now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
            self.req_seq.fetch_add(1, Ordering::Relaxed) + 1,
        );
        // An empty body would throw in the client.
        self.wx_request("POST", &target, body).await.json()
    }

    /// As `im`, for what must succeed.
    async fn im_ok(&self, command: &str, body: &str) -> Value {
        let answer = self.im(command, body).await;
        assert_eq!(answer["ActionStatus"], "OK", "{command}: {answer}");
        answer
    }

    /// First the room server's login, then that of the message service.
    async fn login(server: &Server, user: &str) -> Self {
        let mut mini = Self {
            addr: server.addr,
            user: user.into(),
            sdk_app_id: 0,
            account_type: String::new(),
            user_sig: String::new(),
            token: String::new(),
            identity: String::new(),
            req_seq: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            in_group: AtomicBool::new(false),
        };
        let target = format!("/weapp/utils/get_login_info?userID={user}");
        let info = mini.wx_request("GET", &target, "").await.json();
        mini.sdk_app_id = info["sdkAppID"].as_u64().unwrap();
        mini.account_type = info["accType"].as_str().unwrap().into();
        mini.user_sig = info["userSig"].as_str().unwrap().into();
        let target = format!(
            "/weapp/double_room/login?sdkAppID={}&accountType={}&userID={user}&userSig={}",
            mini.sdk_app_id, mini.account_type, mini.user_sig
        );
        let login = mini.wx_request("POST", &target, "{}").await.json();
        assert_eq!(login["code"], 0, "{login}");
        mini.token = login["token"].as_str().unwrap().into();
        mini.im_login().await;
        mini
    }

    async fn im_login(&mut self) {
        let user = self.user.clone();
        let login = self.im_ok("v4/openim/login", r#"{"State":"Online"}"#).await;
        let (tiny_id, a2) = (&login["TinyId"], &login["A2Key"]);
        let (tiny_id, a2) = (tiny_id.as_str().unwrap(), a2.as_str().unwrap());
        assert!(!tiny_id.is_empty() && !a2.is_empty());
        self.identity = format!("tinyid={tiny_id}&a2={a2}");
        let report = format!(
            r#"{{"EvtItems":[{{"UniqKey":"{}_1700000000_123456","EventId":1,"ReportTime":1700000000,"MsgCmdErrorCode":{{"Code":0,"ErrMsg":""}}}}],"MainVersion":"1.7.0","Version":"0"}}"#,
            &a2[..10]
        );
        let portrait = format!(
            r#"{{"From_Account":"{user}","To_Account":["{user}"],"TagList":["Tag_Profile_IM_Nick","Tag_Profile_IM_Image"]}}"#
        );
        let (_, portrait) = tokio::join!(
            self.im("v4/imopenstat/web_report", &report),
            self.im_ok("v4/profile/portrait_get", &portrait),
        );
        let profile = &portrait["UserProfileItem"][0];
        assert_eq!(
            (&profile["To_Account"], &profile["ResultCode"]),
            (&json!(user), &json!(0))
        );
        assert!(portrait["Fail_Account"].is_null() && portrait["Invalid_Account"].is_null());
        let joined = format!(
            r#"{{"Member_Account":"{user}","Limit":1000,"Offset":0,"ResponseFilter":{{"GroupBaseInfoFilter":["NextMsgSeq"]}}}}"#
        );
        let list = format!("{GROUP}/get_joined_group_list");
        let joined = self.im_ok(&list, &joined).await;
        assert_eq!(joined["GroupIdList"], json!([]));
        let key = self.im_ok(&format!("{OPENIM}/authkey"), "{}").await;
        assert!(key["IpList"].is_array() && key["AuthKey"].is_string());
        // The nickname is the userID.
        let nick = format!(
            r#"{{"From_Account":"{user}","ProfileItem":[{{"Tag":"Tag_Profile_IM_Nick","Value":"{user}"}}]}}"#
        );
        self.im_ok("v4/profile/portrait_set", &nick).await;
    }

    /// The ordinary poll loop. It only has to run: the page does nothing with what it brings.
    async fn listen(self: Arc<Self>) {
        let id = self
            .im_ok(&format!("{OPENIM}/getlongpollingid"), "{}")
            .await;
        let (poll_id, hold) = (&id["LongPollingId"], id["Timeout"].as_u64().unwrap());
        assert!(hold <= 60);
        loop {
            let body = format!(
                r#"{{"Timeout":{hold},"Cookie":{{"NotifySeq":0,"NoticeSeq":0,"LongPollingId":{poll_id}}}}}"#
            );
            let answer = self.im(&format!("{OPENIM}/longpolling"), &body).await;
            let code = answer["ErrorCode"].as_u64().unwrap();
            if code == 91101 {
                return;
            }
            assert!(answer["ActionStatus"] == "OK" || code == 60008, "{answer}");
            self.polls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Joins the big group, whose poll loop then runs until the client quits.
    async fn join(self: &Arc<Self>, room: &str) -> mpsc::UnboundedReceiver<Event> {
        let joined = format!(r#"{{"GroupId":"{room}"}}"#);
        let joined = self
            .im_ok(&format!("{GROUP}/apply_join_group"), &joined)
            .await;
        assert_eq!(joined["JoinedStatus"], "JoinedSuccess");
        let key = joined["LongPollingKey"].clone();
        assert!(key.is_string());
        self.in_group.store(true, Ordering::Relaxed);
        let (events, page) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().read_group(key, events));
        page
    }

    async fn read_group(self: Arc<Self>, key: Value, events: mpsc::UnboundedSender<Event>) {
        let (mut key, mut next, mut hold) = (key, json!(0), json!(90));
        // A poll in flight is not aborted, but after quitting none follows.
        while self.in_group.load(Ordering::Relaxed) {
            let body = format!(r#"{{"StartSeq":{next},"HoldTime":{hold},"Key":{key}}}"#);
            let answer = self.im(&format!("{BIG_GROUP}/get_msg"), &body).await;
            self.polls.fetch_add(1, Ordering::Relaxed);
            // Copied without looking, also from an error.
            next = answer["NextSeq"].clone();
            hold = answer["HoldTime"].clone();
            key = answer["Key"].clone();
            let known = !next.is_null() && !hold.is_null() && !key.is_null();
            assert!(known, "the client's next request would be broken: {answer}");
            for message in answer["RspMsgList"].as_array().unwrap() {
                // Nobody may be looking any more.
                let _ = events.send(understand(message));
            }
        }
    }

    async fn say(&self, room: &str, elements: &str) -> Value {
        let body = format!(
            r#"{{"GroupId":"{room}","From_Account":"{}","Random":2864434397,"MsgBody":{elements},"MsgPriority":"COMMON"}}"#,
            self.user
        );
        self.im_ok(&format!("{GROUP}/send_group_msg"), &body).await
    }

    async fn push_url(&self) -> String {
        let body = format!(r#"{{"userID":"{}"}}"#, self.user);
        let answer = self.room("get_push_url", &body).await;
        answer["pushURL"].as_str().unwrap().to_owned()
    }

    async fn add_pusher(&self, room: &str, push_url: &str) {
        let body = json!({"roomID": room, "roomInfo": "counter 3", "userID": self.user,
            "userName": self.user, "userAvatar": "123", "pushURL": push_url});
        assert_eq!(self.room("add_pusher", &body.to_string()).await["code"], 0);
    }

    async fn others(&self, room: &str) -> BTreeSet<String> {
        let answer = self
            .room("get_pushers", &format!(r#"{{"roomID":"{room}"}}"#))
            .await;
        let pushers = answer["pushers"].as_array().unwrap().iter();
        let ids = pushers.map(|pusher| pusher["userID"].as_str().unwrap().to_owned());
        ids.filter(|id| *id != self.user).collect()
    }

    async fn heartbeat(&self, room: &str) -> Value {
        let body = format!(r#"{{"roomID":"{room}","userID":"{}"}}"#, self.user);
        self.room("pusher_heartbeat", &body).await["code"].clone()
    }

    /// Leaves the room, then the group; answers what quitting the group said.
    async fn exit(&self, room: &str) -> Value {
        let body = format!(r#"{{"roomID":"{room}","userID":"{}"}}"#, self.user);
        assert_eq!(self.room("delete_pusher", &body).await["code"], 0);
        self.in_group.store(false, Ordering::Relaxed);
        let body = format!(r#"{{"GroupId":"{room}"}}"#);
        self.im(&format!("{GROUP}/quit_group"), &body).await["ErrorCode"].clone()
    }
}

/// Reads an entry as the client does; it skips those without sender or body.
fn understand(message: &Value) -> Event {
    assert!(!message["From_Account"].as_str().unwrap().is_empty());
    let info = &message["GroupInfo"];
    assert!(info.is_object(), "the client looks into it: {message}");
    let body = &message["MsgBody"];
    if message["Event"] == 3 {
        let elements = body.as_array().unwrap().iter();
        let strings = elements.map(|element| {
            let content = &element["MsgContent"];
            match element["MsgType"].as_str() {
                Some("TIMTextElem") => content["Text"].as_str().unwrap(),
                Some("TIMCustomElem" | "TIMFaceElem") => content["Data"].as_str().unwrap(),
                other => panic!("{other:?}"),
            }
        });
        let sender = info["From_AccountNick"].as_str().unwrap().to_owned();
        return Event::Text(sender, strings.collect());
    }
    assert_eq!(message["Event"], 5);
    match body["ReportType"].as_u64() {
        Some(5) => Event::RoomClosed,
        Some(255) => {
            // Parsed without a guard.
            let field = body["UserDefinedField"].as_str().unwrap();
            let field: Value = serde_json::from_str(field).unwrap();
            assert_eq!(field["cmd"], "notifyPusherChange");
            Event::PushersChanged
        }
        other => panic!("report {other:?}"),
    }
}

/// The next thing that the page is told.
async fn told(page: &mut mpsc::UnboundedReceiver<Event>) -> Event {
    let told = timeout(Duration::from_secs(5), page.recv());
    told.await
        .expect("the page is told")
        .expect("the loop runs")
}

#[tokio::test]
async fn two_mini_programs_call_each_other_from_login_to_exit() {
    let server = Server::start().await;
    let begin = Instant::now();
    let alice = Arc::new(Mini::login(&server, "alice").await);
    let bob = Arc::new(Mini::login(&server, "bob").await);
    let loops = [alice.clone(), bob.clone()].map(|mini| tokio::spawn(mini.listen()));

    // createRoom never names a room; then the push URL, the push, and with its 1002 enterRoom.
    let created = alice
        .room(
            "create_room",
            r#"{"userID":"alice","roomInfo":"counter 3"}"#,
        )
        .await;
    let room = created["roomID"].as_str().unwrap().to_owned();
    let push_url = alice.push_url().await;
    alice.add_pusher(&room, &push_url).await;
    let entered = Instant::now();
    let (mut alices, others) = tokio::join!(alice.join(&room), alice.others(&room));
    assert!(others.is_empty());

    // enterRoom of a room in the list.
    let (push_url, others) = tokio::join!(bob.push_url(), bob.others(&room));
    assert_eq!(others, BTreeSet::from(["alice".to_owned()]));
    let joining = Instant::now();
    bob.add_pusher(&room, &push_url).await;
    let (mut bobs, _) = tokio::join!(bob.join(&room), bob.others(&room));
    assert_eq!(told(&mut alices).await, Event::PushersChanged);
    assert_eq!(
        alice.others(&room).await,
        BTreeSet::from(["bob".to_owned()])
    );
    assert!(joining.elapsed() < Duration::from_millis(300));

    // Texts, both ways; the sender shows its own when it comes back.
    let header = |nick: &str| {
        format!(r#"{{"cmd":"CustomTextMsg","data":{{"nickName":"{nick}","headPic":"123"}}}}"#)
    };
    let custom = |data: &str| json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": data, "Desc": "", "Ext": ""}});
    let text = |text: &str| json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": text}});
    let face = json!({"MsgType": "TIMFaceElem", "MsgContent": {"Index": 14, "Data": "[smile]"}});
    // A name with quotation marks makes no JSON, and is passed on all the same.
    let broken = header(r#"Bob "B""#);
    for (who, elements, shown) in [
        (
            &alice,
            json!([custom(&header("Alice")), text("hello &lt;b&gt;")]),
            format!("{}hello &lt;b&gt;", header("Alice")),
        ),
        (
            &bob,
            json!([custom(&header("Bob")), text("look "), face, text(" at me")]),
            format!("{}look [smile] at me", header("Bob")),
        ),
        (
            &bob,
            json!([custom(&broken), text("hi")]),
            format!("{broken}hi"),
        ),
    ] {
        let sent = Instant::now();
        let answer = who.say(&room, &elements.to_string()).await;
        assert!(answer["MsgSeq"].is_u64() && answer["MsgTime"].is_u64());
        let expected = Event::Text(who.user.clone(), shown);
        assert_eq!(told(&mut alices).await, expected);
        assert_eq!(told(&mut bobs).await, expected);
        assert!(sent.elapsed() < Duration::from_millis(200));
    }

    // One heartbeat after 3 s, then the loop of 7 s.
    for seconds in [3, 7] {
        sleep(Duration::from_secs(seconds).saturating_sub(entered.elapsed())).await;
        assert_eq!(alice.heartbeat(&room).await, 0);
        assert_eq!(bob.heartbeat(&room).await, 0);
    }

    // Bob hangs up; one heartbeat without a room slips out after it.
    assert_eq!(bob.exit(&room).await, 0);
    assert_eq!(bob.heartbeat("").await, 5);
    assert_eq!(told(&mut alices).await, Event::PushersChanged);
    assert!(alice.others(&room).await.is_empty());
    // With the last one the room and its group go, so that there is nothing to quit.
    assert_eq!(alice.exit(&room).await, 10010);
    assert_eq!(told(&mut alices).await, Event::RoomClosed);

    // Both loops ask again at once after every answer, and yet do not spin.
    let polls = alice.polls.load(Ordering::Relaxed) + bob.polls.load(Ordering::Relaxed);
    assert!(polls < 20 + begin.elapsed().as_secs(), "{polls} polls");
    for mini in [&alice, &bob] {
        mini.im_ok(&format!("{OPENIM}/logout"), "{}").await;
    }
    for task in loops {
        task.abort();
    }
    server.stop().await;
}

#[tokio::test]
async fn a_mini_program_whose_room_is_closed_goes_on_polling_and_does_no_harm() {
    let server = Server::start().await;
    let host = server
        .login(rtckiosk::protocol::RoomType::Double, "host")
        .await;
    host.enter("branch7-c3").await;
    let bob = Arc::new(Mini::login(&server, "bob").await);
    let push_url = bob.push_url().await;
    bob.add_pusher("branch7-c3", &push_url).await;
    let mut page = bob.join("branch7-c3").await;
    let gone = host.code(rtckiosk::protocol::Verb::DestroyRoom, host.of("branch7-c3"));
    assert_eq!(gone.await, 0);
    assert_eq!(told(&mut page).await, Event::RoomClosed);
    // exitRoom then returns early: nothing is left, nothing quit, and the loop goes on.
    sleep(Duration::from_secs(2)).await;
    assert!(bob.polls.load(Ordering::Relaxed) < 4);
    bob.in_group.store(false, Ordering::Relaxed);
    // The next call works.
    let created = bob
        .room("create_room", r#"{"userID":"bob","roomInfo":"again"}"#)
        .await;
    let room = created["roomID"].as_str().unwrap().to_owned();
    bob.add_pusher(&room, &bob.push_url().await).await;
    let mut page = bob.join(&room).await;
    bob.say(
        &room,
        r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello"}}]"#,
    )
    .await;
    assert_eq!(
        told(&mut page).await,
        Event::Text("bob".into(), "hello".into())
    );
    server.stop().await;
}
