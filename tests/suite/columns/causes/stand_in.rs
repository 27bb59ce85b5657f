//! What MySQL tells where no server is at hand that would: a stand-in speaks its protocol.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use rstest::rstest;

use super::{ONE, refusal};
use crate::support::settings;

/// `PROTOCOL_41`, `SECURE_CONNECTION`, `PLUGIN_AUTH`, and that there is a database; no TLS.
const CAPABILITIES: u32 = 0x0008_0000 | 0x0000_8000 | 0x0000_0200 | 0x0000_0008 | 0x0000_0001;

fn send(connection: &mut TcpStream, number: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    connection.write_all(&[&length[..3], &[number], payload].concat()).unwrap();
}

fn receive(connection: &mut TcpStream) {
    let mut head = [0; 4];
    connection.read_exact(&mut head).unwrap();
    let mut payload = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
    connection.read_exact(&mut payload).unwrap();
}

/// A server whose users have `caching_sha2_password`.
fn greeting() -> Vec<u8> {
    let [low, next, high, highest] = CAPABILITIES.to_le_bytes();
    let mut greeting = b"\x0a8.4.0\0\x01\0\0\0abcdefgh\0".to_vec();
    greeting.extend([low, next, 45, 2, 0, high, highest, 21]);
    greeting.extend([0; 10]);
    greeting.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    greeting
}

fn standing_in(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mysql://u:very-secret@{}/d?ssl-mode=DISABLED", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        answer(&mut connection);
        // Not before the other side goes.
        let _ = connection.read(&mut [0]);
    });
    url
}

#[tokio::test]
async fn a_password_that_is_sent_over_tls_only_is_told() {
    let url = standing_in(|connection| {
        send(connection, 0, &greeting());
        receive(connection);
        // The password itself, please: it is in no cache.
        send(connection, 2, &[1, 4]);
        // Then it is asked for a key.
        receive(connection);
        send(connection, 4, b"\x01-----BEGIN PUBLIC KEY-----\n");
    });
    let told = refusal(settings(&url, ONE)).await;
    assert!(told.contains("password is sent over TLS only: take sslmode=disable out of source.url"), "{told}");
    assert!(!told.contains("feature"), "{told}");
}

#[rstest]
#[case::shut_out(1129, "FLUSH HOSTS there")]
#[case::full_disk(1021, "out of disk or memory")]
#[case::no_memory(1041, "out of disk or memory")]
#[case::late(3024, "own limit of time")]
#[case::read_only(1836, "may only read: check source.query")]
#[case::without_tls(3159, "take sslmode=disable out of source.url")]
#[case::deadlock(1213, "the next run tries again")]
#[case::killed(1927, "the server or an administrator ended it")]
#[case::stopping(1053, "the server or an administrator ended it")]
#[tokio::test]
async fn what_is_not_staged_is_told_by_its_number(#[case] number: u16, #[case] way_out: &str) {
    let url = standing_in(move |connection| {
        let refused = [&[0xff][..], &number.to_le_bytes(), b"#HY000no"].concat();
        send(connection, 0, &greeting());
        receive(connection);
        send(connection, 2, &refused);
    });
    let told = refusal(settings(&url, ONE)).await;
    assert!(told.contains(way_out), "{told}");
}
