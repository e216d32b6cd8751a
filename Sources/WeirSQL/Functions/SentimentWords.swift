// The built-in word list: words of English that say how somebody feels, weighed by hand. Small on purpose:
// a feed's own words belong into the user's list.

extension SentimentList {
    /// In the form of a user's list.
    static let builtIn: String = {
        let groups: [(weight: String, words: String)] = [
            (
                "1.0",
                """
                amazing awesome brilliant excellent fantastic magnificent marvellous
                outstanding perfect superb wonderful
                """
            ),
            (
                "0.8",
                """
                adore beautiful best delighted delightful ecstatic excited fabulous gorgeous
                great incredible impressive love loved loves loving thrilled triumph
                """
            ),
            (
                "0.6",
                """
                admire celebrate cheerful confident enjoy enjoyed enjoying friendly fun
                generous glad good grateful happy happier happiest healthy hope hopeful joy
                kind lovely lucky pleased pleasure proud recommend reliable smart success
                successful thank thankful thanks win winner winning wins won
                """
            ),
            (
                "0.4",
                """
                agree better calm clean clear comfortable cool easy effective fair fast fine
                fresh free helpful improve improved improvement interesting like liked likes
                nice peaceful popular positive pretty progress promising quick relaxed
                relief safe smile solid stable strong support sweet useful warm welcome well
                works yes
                """
            ),
            (
                "0.2",
                """
                able accept active ahead available correct efficient enough ok okay ready
                right steady
                """
            ),
            (
                "-1.0",
                """
                abysmal appalling atrocious awful disastrous disgusting dreadful horrible
                horrific terrible terrifying worst
                """
            ),
            (
                "-0.8",
                """
                agony catastrophe crash crashed dead death despise destroyed disaster evil
                furious hate hated hates killed murder outrage rage scam toxic tragic
                violence violent
                """
            ),
            (
                "-0.6",
                """
                abuse afraid angry anger anxious attack bad betrayed broke broken cruel
                crying danger dangerous depressed disappointed disappointing disappointment
                dishonest fail failed failing failure fails fear fraud guilty hopeless hurt
                ill injured lie lied lies lonely lost miserable nasty pathetic poor sad
                scared sick stupid suffer suffering ugly unhappy upset useless victim war
                worse worried wrong
                """
            ),
            (
                "-0.4",
                """
                annoyed annoying boring bug bugs complain complaint confused confusing
                crisis delay delayed difficult dirty doubt error errors expensive flawed
                frustrated frustrating lack late loss mess miss missed missing mistake
                negative noisy pain panic problem problems risk rude shame slow sorry stress
                stressed stuck tired trouble uncertain unfair unreliable unsafe weak worry
                """
            ),
            (
                "-0.2",
                """
                against cold expired hard issue issues limited odd old strange unclear
                unknown
                """
            ),
            (
                "negation",
                """
                not no never none cannot can't don't doesn't didn't isn't aren't wasn't
                weren't won't wouldn't shouldn't couldn't hardly without
                """
            ),
        ]
        return groups.flatMap { group in
            group.words.split(whereSeparator: \.isWhitespace).map { "\($0) \(group.weight)" }
        }.joined(separator: "\n")
    }()
}
