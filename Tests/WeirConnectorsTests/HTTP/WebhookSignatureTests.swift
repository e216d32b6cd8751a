// The signature of webhooks against values that Python's hmac gives.

import Testing

@testable import WeirConnectors

@Suite struct WebhookSignatureTests {
    @Test func theHeaderIsTheTimeAndTheCode() {
        #expect(
            WebhookSignature.value(Array("[]".utf8), secret: "key", unixSeconds: 1_764_157_980)
                == "t=1764157980,v1=22fbcd4af31ca5155fe4dc6b79c0dbafeca093dd702d45b4f711af9b9f0de4ef")
    }
}
