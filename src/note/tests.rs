use super::*;

#[test]
fn a_note_is_read_back_without_its_text() {
    let note =
        Note::Undecided { rounds: Some(14), detectable: Percent::new(0.042).ok(), more_time: None };
    let json = serde_json::to_string(&note).unwrap();
    assert_eq!(json, r#"{"note":"undecided","rounds":14,"detectable":0.042}"#);
    assert_eq!(serde_json::from_str::<Note>(&json).unwrap(), note);
    let with_text = r#"{"note":"undecided","text":"words","rounds":14,"detectable":0.042}"#;
    assert_eq!(serde_json::from_str::<Note>(with_text).unwrap(), note);
}

#[test]
fn a_sentence_of_schema_1_is_kept() {
    let note: Note = serde_json::from_str(r#""the tree was dirty""#).unwrap();
    assert_eq!(note, Note::Recorded { sentence: "the tree was dirty".to_owned() });
    let reason: FailureReason = serde_json::from_str(r#""panicked""#).unwrap();
    assert_eq!(reason, FailureReason::Reported { sentence: "panicked".to_owned() });
}

#[test]
fn an_unknown_note_or_field_is_refused() {
    for json in [
        r#"{"note":"made-up"}"#,
        r#"{"note":"dirty-tree","more":1}"#,
        r#"{"text":"only words"}"#,
        r#"{"note":"dirty-tree","text":1}"#,
        "7",
    ] {
        assert!(serde_json::from_str::<Note>(json).is_err(), "{json}");
    }
}
