//! Listening beyond this machine, and with TLS.

use super::{load, problems};

/// L5: break the check of `listen.address` or `listen.allow_remote` in `checks.rs`.
#[test]
fn l5_an_address_beyond_this_machine_needs_an_explicit_word_and_tls() {
    let tls = "tls = { cert_file = \"c\", key_file = \"k\" }\nallowed_hosts = [\"lockstep.internal\"]";
    for address in ["0.0.0.0:2773", "[::]:2773", "10.0.0.1:2773", "192.168.1.1:1", "[2001:db8::1]:1"] {
        let listen = |more: &str| load(&format!("[listen]\naddress = \"{address}\"\n{more}"), &[]);
        assert!(listen("").is_err(), "{address}");
        assert!(listen(tls).is_err(), "{address}: TLS alone is no word for it");
        let open = listen("allow_remote = true\nallowed_hosts = [\"lockstep.internal\"]").unwrap_err().to_string();
        assert!(open.contains("needs TLS"), "{address}: {open}");
        // `--listen` would come before the socket.
        let socket = "allow_remote = true\nallowed_hosts = [\"lockstep.internal\"]\nunix_socket = \"s\"";
        assert!(listen(socket).unwrap_err().to_string().contains("needs TLS"), "{address}");
        assert!(listen(&format!("allow_remote = true\n{tls}")).is_ok(), "{address}");
    }
    for address in ["127.0.0.1:0", "127.9.9.9:1", "[::1]:2773"] {
        assert!(load(&format!("[listen]\naddress = \"{address}\""), &[]).is_ok(), "{address}");
    }
}

#[test]
fn what_is_wrong_with_tls_to_listen_with_is_said_with_what_to_write() {
    let pair = "cert_file = \"c\", key_file = \"k\"";
    for (listen, expected) in [
        (format!("allow_remote = true\ntls = {{ {pair} }}"), "allowed_hosts"),
        (format!("tls = {{ {pair}, require_client_cert = true }}"), "client_ca_file"),
        (format!("unix_socket = \"s\"\ntls = {{ {pair} }}"), "needs no TLS"),
        ("tls = { cert_file = \"c\" }".to_owned(), "key_file"),
        ("max_streams = 0".to_owned(), "out of range"),
    ] {
        let said = problems(&format!("[listen]\n{listen}"), &[]);
        assert!(said.contains(expected), "{listen}: {said}");
    }
}
