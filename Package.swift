// swift-tools-version: 6.1
// The targets follow the way of the data; imports run one way, from the bottom of this list to the
// top (docs/architecture.md), and the build is run with
// `--explicit-target-dependency-import-check error` so that they keep doing so.

import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Debian's C and C++ libraries. `make tools` installs their -dev packages.
func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], cases: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, exclude: cases,
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "weir",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "weir", targets: ["weir"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
    ],
    targets: [
        systemLibrary("CMosquitto", pkgConfig: "libmosquitto", apt: "libmosquitto-dev"),
        systemLibrary("CRocksDB", pkgConfig: "rocksdb", apt: "librocksdb-dev"),
        systemLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        systemLibrary("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        systemLibrary("CSnappy", pkgConfig: "snappy", apt: "libsnappy-dev"),
        systemLibrary("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
        systemLibrary("CPCRE2", pkgConfig: "libpcre2-8", apt: "libpcre2-dev"),
        systemLibrary("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
        .systemLibrary(name: "CLinux", path: "Sources/CLinux"),
        .target(
            name: "CSimdJSON", cxxSettings: [.unsafeFlags(["-O3"])],
            linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "CTomlPlusPlus", cxxSettings: [.unsafeFlags(["-O2"])]),

        library("WeirCore", []),
        library(
            "WeirSQL", ["WeirCore", "CPCRE2", .product(name: "Crypto", package: "swift-crypto")]),
        library("WeirStore", ["WeirCore", "CRocksDB", "CZstd"]),
        library("WeirFormats", ["WeirCore", "CSimdJSON", "CZstd", "CZlib", "CSnappy"]),
        library("WeirRuntime", ["WeirCore", "WeirSQL", "WeirStore"]),
        library(
            "WeirConnectors",
            [
                "WeirCore", "CMosquitto", "CCurl", "COpenSSL",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        library(
            "WeirAgent",
            [
                "WeirCore", "WeirSQL", "WeirStore", "WeirFormats", "WeirRuntime", "WeirConnectors",
                "CTomlPlusPlus", "CLinux",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ]),
        .executableTarget(
            name: "weir",
            dependencies: [
                "WeirAgent", "WeirCore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings),

        .testTarget(name: "TidyTests", swiftSettings: swiftSettings),
        tests("WeirCore", []),
        tests("WeirSQL", ["WeirCore"], cases: ["Cases"]),
        tests("WeirStore", ["WeirCore"]),
        tests("WeirFormats", ["WeirCore"]),
        tests("WeirRuntime", ["WeirCore", "WeirSQL", "WeirStore"]),
        tests("WeirConnectors", ["WeirCore"]),
        tests("WeirAgent", ["WeirCore", "WeirSQL"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx20
)
