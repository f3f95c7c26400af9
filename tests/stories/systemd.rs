//! What systemd hears of a service with `Type=notify`.

use std::os::unix::net::UnixDatagram;

use lockstep_stories::Lockstep;

/// Break: either call of `tell_systemd`.
#[test]
fn systemd_hears_that_it_is_ready_and_that_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(lockstep_stories::PATIENCE)).unwrap();
    let heard = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let home = Lockstep::new("[providers.m]\ntype = \"mock\"\n", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let running = home.start();
    assert_eq!(heard().trim_end(), "READY=1");
    assert_eq!(running.stop().code, Some(0));
    assert_eq!(heard().trim_end(), "STOPPING=1");
}
