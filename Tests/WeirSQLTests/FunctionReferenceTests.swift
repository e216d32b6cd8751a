// docs/functions.md against the declarations: the page is what the tables of Functions say, so that it
// cannot grow stale. WEIR_UPDATE_DOCS=1 writes the page instead of comparing it.

import FoundationEssentials
import Testing

@testable import WeirSQL

@Suite struct FunctionReferenceTests {
    @Test func thePageSaysWhatTheDeclarationsSay() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = root.appending(path: "docs/functions.md")
        let wanted = FunctionReference.page
        if ProcessInfo.processInfo.environment["WEIR_UPDATE_DOCS"] != nil {
            try Data(wanted.utf8).write(to: page)
        }
        let found = String(decoding: try Data(contentsOf: page), as: UTF8.self)
        #expect(found == wanted, "run WEIR_UPDATE_DOCS=1 swift test --filter FunctionReferenceTests")
    }

    @Test func everyNameIsDeclaredOnce() {
        for function in FunctionLibrary.all {
            #expect(NamedFunction.byName[function.name] == nil, "\(function.name) is declared twice")
        }
    }
}
