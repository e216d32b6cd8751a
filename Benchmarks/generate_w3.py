#!/usr/bin/env python3
"""Writes the tweet-like feed of workload W3: generate_w3.py [POSTS] [TAGS] > w3.ndjson

One post a millisecond, arriving up to 5 s late, with no to three hashtags that follow Zipf's law.
Some tags are not ASCII, some texts have escapes. The same arguments give the same bytes.
"""

import sys

import numpy

START_MS = 1_700_000_000_000
DELAY_MS_MAX = 5_000
POSTS = 2_000_000
TAGS = 50_000
AUTHORS = 200_000
LINES_AT_A_TIME = 100_000
LANGUAGES = ["en", "en", "en", "es", "ja", "fr", "de", "pt", "tr", "sv"]
WORDS = (
    "river lock weir barge towpath morning gauge level rain flood gate sluice upstream bridge "
    "heron slow today again never \\\"measured\\\" caf\u00e9 \\u2013 data rising 40\u00a0cm"
).split(" ")
SYLLABLES = "ba ce di fo gu ha ji ko lu me ni op ra se tu va wi xo yu ze".split()


def tag_names(tags, random):
    """Distinct tag names, the most frequent first."""
    names = {}
    while len(names) < tags:
        name = "".join(random.choice(SYLLABLES, random.integers(2, 6)))
        ending = "\u00e9" if len(names) % 41 == 0 else ""
        ending += "\u5ddd" if len(names) % 59 == 0 else ""
        names.setdefault(name + ending)
    return list(names)


def feed(posts, tags):
    """For each post its number of tags and (three) tag numbers; the order in which posts arrive;
    and the generator, for what does not matter to the result."""
    random = numpy.random.default_rng(20_261_122)
    count = random.choice(4, posts, p=[0.30, 0.35, 0.20, 0.15])
    share = 1 / numpy.arange(1, tags + 1)
    steps = numpy.cumsum(share / share.sum())
    chosen = numpy.searchsorted(steps, random.random((posts, 3))).clip(0, tags - 1)
    arrival = numpy.arange(posts) + random.integers(0, DELAY_MS_MAX, posts)
    return count, chosen, numpy.argsort(arrival, kind="stable"), random


def main():
    posts = int(sys.argv[1]) if len(sys.argv) > 1 else POSTS
    tags = int(sys.argv[2]) if len(sys.argv) > 2 else TAGS
    count, chosen, order, random = feed(posts, tags)
    names = tag_names(tags, numpy.random.default_rng(7))
    author = random.integers(0, AUTHORS, posts)
    followers = (random.pareto(1.1, AUTHORS) * 50).clip(0, 50_000_000).astype(numpy.int64)
    phrases = [" ".join(random.choice(WORDS, random.integers(3, 12))) for _ in range(20_000)]
    phrase = random.integers(0, len(phrases), posts)
    when = numpy.datetime_as_string(
        (START_MS + numpy.arange(posts)).astype("datetime64[ms]"), unit="ms", timezone="UTC")
    out = open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False)
    for start in range(0, posts, LINES_AT_A_TIME):
        lines = []
        for post in order[start : start + LINES_AT_A_TIME].tolist():
            own = [names[tag] for tag in chosen[post, : count[post]].tolist()]
            text = phrases[phrase[post]] + "".join(" #" + name for name in own)
            lines.append(
                '{"id":"%d","created_at":"%s","user":{"id":%d,"screen_name":"reader_%d",'
                '"followers_count":%d},"text":"%s","entities":{"hashtags":[%s]},"lang":"%s"}\n'
                % (
                    1_724_000_000_000_000_000 + post * 4_194_304, when[post], author[post] + 1_000,
                    author[post], followers[author[post]], text,
                    ",".join('{"text":"%s"}' % name for name in own), LANGUAGES[post % 10]))
        out.write("".join(lines))
    out.close()


if __name__ == "__main__":
    main()
