use std::time::Duration;

use super::*;
use crate::aws::fake::Host;

fn role(number: usize) -> Role {
    Role::new(&format!("arn:aws:iam::123456789012:role/r{number}")).unwrap()
}

/// The roles that callers may name as `roleArn` stand in the configuration (`aws.roles`), each with a provider and so a
/// session of its own: there are never more than were written. Where roles are named at run time, this holds them.
/// Break: drop the `remove(0)`, or push in front.
#[tokio::test]
async fn o8_the_21st_role_works_after_the_least_recently_used_one_was_evicted() {
    let host = Host::with_keys();
    let sessions = RoleSessions::new(host.session(), RoleSessions::ROOM);
    let first: Vec<_> = (0..20).map(|number| sessions.session(&role(number)).unwrap()).collect();
    // The oldest is asked for again, so that the second is the one to go.
    assert!(Arc::ptr_eq(&sessions.session(&role(0)).unwrap(), &first[0]));
    let last = sessions.session(&role(20)).unwrap();
    host.script.then_role("ASIALAST", "2026-05-01T11:00:00Z");
    assert_eq!(last.credentials.get(&host.call()).await.unwrap().credential.access_key_id(), "ASIALAST");
    assert!(host.script.sent()[0].body.contains("role%2Fr20"));
    assert_eq!(sessions.known.lock().unwrap().len(), 20);
    let kept = |number: usize| Arc::ptr_eq(&sessions.session(&role(number)).unwrap(), &first[number]);
    assert!(kept(0) && (2..20).all(kept));
    // The evicted one is made anew, and works too.
    assert!(!kept(1));
    host.script.then_role("ASIAAGAIN", "2026-05-01T11:00:00Z");
    let again = sessions.session(&role(1)).unwrap();
    assert_eq!(again.credentials.get(&host.call()).await.unwrap().credential.access_key_id(), "ASIAAGAIN");
}

#[test]
fn the_same_role_with_another_length_is_another_session() {
    let sessions = RoleSessions::new(Host::with_keys().session(), 0);
    let short = role(1).duration(Duration::from_mins(15)).unwrap();
    let (one, two) = (sessions.session(&role(1)).unwrap(), sessions.session(&short).unwrap());
    assert!(!Arc::ptr_eq(&one, &two));
    assert_eq!(sessions.known.lock().unwrap().len(), 1);
}
