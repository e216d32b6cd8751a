// Names must survive every store and never leave its place.

import Testing

@testable import WeirConnectors

@Suite struct ObjectKeyTests {
    @Test func everythingOutsideOfTheSetIsEncoded() {
        let key = ObjectKey(segments: ["line=a b", "../etc", "x:y%", "é", "ok_=.-9"])
        #expect(key.text == "line=a%20b/..%2Fetc/x%3Ay%25/%C3%A9/ok_=.-9")
    }

    @Test func dotsAloneCannotClimb() {
        #expect(ObjectKey(segments: ["..", ".", "...", "a.."]).text == "%2E%2E/%2E/%2E%2E%2E/a..")
        #expect(ObjectKey(path: "../x").text == "%2E%2E/x")
    }

    @Test func encodedTextIsReadBackAndNothingElseIs() {
        let key = ObjectKey(segments: ["a:b", ".."])
        #expect(ObjectKey(encoded: key.text) == key)
        for text in ["", "/a", "a/", "a//b", "..", "a/./b", "a b", "a%2", "a%zz", "a%2f", "é", "a:b"] {
            #expect(ObjectKey(encoded: text) == nil, "\(text)")
        }
    }

    @Test func nameAndFolderAreTheTwoParts() {
        let key = ObjectKey(path: "a/b/c.gz")
        #expect(key.name == "c.gz" && key.folder == "a/b/")
        #expect(ObjectKey(path: "c").folder == "" && ObjectKey(path: "c").name == "c")
    }
}
