"""The events of the Nexmark benchmark (auctions, bids and the people who make them), as three files.

    generate_nexmark.py EVENTS SEED FOLDER

Of each 50 events one is a person, three are auctions and 46 are bids, as in Nexmark. One event a
millisecond; rows are out of order by less than two seconds. The same arguments give the same bytes.
Columns and value ranges follow the published description of Nexmark; the texts are made up.
"""

import json
import os
import sys

import numpy

PERSONS, AUCTIONS, PERIOD = 1, 3, 50
FIRST_ID = 1000
START_MS = 1_700_000_000_000
DISORDER_MS = 2000

STATES = ["az", "ca", "id", "or", "wa", "wy"]
CITIES = ["phoenix", "los angeles", "san francisco", "boise", "portland", "bend", "redmond", "seattle", "kent", "cheyenne"]
FIRST = ["peter", "paul", "luke", "john", "saul", "vicky", "kate", "julie", "sarah", "deiter", "walter"]
LAST = ["shultz", "abrams", "spencer", "white", "bartels", "walton", "smith", "jones", "noris"]
CHANNELS = ["Google", "Facebook", "Baidu", "Apple"]
LETTERS = numpy.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype=numpy.uint8)


def texts(random, count, low, high):
    """`count` texts of letters, between low and high letters long."""
    lengths = random.integers(low, high, count)
    pool = LETTERS[random.integers(0, 26, int(lengths.sum()))].tobytes().decode()
    ends = numpy.cumsum(lengths)
    return [pool[end - length : end] for end, length in zip(ends.tolist(), lengths.tolist())]


def prices(random, count):
    return (10 ** (random.random(count) * 6) * 100).astype(numpy.int64)


def hot(random, count, last, ratio, every):
    """Ids up to `last`: one in `ratio` is anyone of late, the others one of the few that are hot."""
    hottest = last // every * every
    near = last - random.integers(0, 100, count)
    return numpy.maximum(numpy.where(random.integers(0, ratio, count) > 0, hottest, near), 0) + FIRST_ID


def main():
    events, seed, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.makedirs(folder, exist_ok=True)
    random = numpy.random.default_rng(seed)
    number = numpy.arange(events, dtype=numpy.int64)
    time = START_MS + number - random.integers(0, DISORDER_MS, events)
    place = number % PERIOD
    period = number // PERIOD
    persons_so_far = period
    auctions_so_far = period * AUCTIONS + numpy.clip(place - PERSONS, 0, AUCTIONS)

    with open(os.path.join(folder, "person.ndjson"), "w") as out:
        rows = number[place < PERSONS]
        extra = texts(random, len(rows), 50, 150)
        cards = random.integers(0, 10_000, (len(rows), 4))
        picks = random.integers(0, 1 << 30, (len(rows), 4))
        for i, n in enumerate(rows.tolist()):
            first, last = FIRST[picks[i, 0] % len(FIRST)], LAST[picks[i, 1] % len(LAST)]
            out.write(json.dumps({
                "id": FIRST_ID + n // PERIOD, "name": f"{first} {last}", "emailAddress": f"{first}.{last}@example.net",
                "creditCard": " ".join(f"{c:04d}" for c in cards[i].tolist()),
                "city": CITIES[picks[i, 2] % len(CITIES)], "state": STATES[picks[i, 3] % len(STATES)],
                "dateTime": int(time[n]), "extra": extra[i]}, separators=(",", ":")) + "\n")

    with open(os.path.join(folder, "auction.ndjson"), "w") as out:
        rows = number[(place >= PERSONS) & (place < PERSONS + AUCTIONS)]
        names, descriptions = texts(random, len(rows), 5, 20), texts(random, len(rows), 20, 100)
        extra = texts(random, len(rows), 50, 200)
        seller = hot(random, len(rows), persons_so_far[rows], 4, 100)
        initial, more = prices(random, len(rows)), prices(random, len(rows))
        length = random.integers(1_000, 20_000, len(rows))
        category = random.integers(10, 15, len(rows))
        for i, n in enumerate(rows.tolist()):
            out.write(json.dumps({
                "id": FIRST_ID + n // PERIOD * AUCTIONS + n % PERIOD - PERSONS, "itemName": names[i],
                "description": descriptions[i], "initialBid": int(initial[i]), "reserve": int(initial[i] + more[i]),
                "dateTime": int(time[n]), "expires": int(time[n] + length[i]), "seller": int(seller[i]),
                "category": int(category[i]), "extra": extra[i]}, separators=(",", ":")) + "\n")

    with open(os.path.join(folder, "bid.ndjson"), "w") as out:
        rows = number[place >= PERSONS + AUCTIONS]
        auction = hot(random, len(rows), auctions_so_far[rows] - 1, 2, 100)
        bidder = hot(random, len(rows), persons_so_far[rows], 4, 100)
        price = prices(random, len(rows))
        channel = random.integers(0, 20_000, len(rows))
        extra = texts(random, len(rows), 20, 80)
        for i, n in enumerate(rows.tolist()):
            c = int(channel[i])
            name = CHANNELS[c % 4] if c % 2 else f"channel-{c // 2}"
            ident = "" if c % 2 else f"&channel_id={c * 7919 % 1_000_000}"
            out.write(
                f'{{"auction":{auction[i]},"bidder":{bidder[i]},"price":{price[i]},"channel":"{name}",'
                f'"url":"https://www.nexmark.com/{extra[i][:4]}/{extra[i][4:8]}/{extra[i][8:12]}/item.htm?query=1{ident}",'
                f'"dateTime":{time[n]},"extra":"{extra[i]}"}}\n')


if __name__ == "__main__":
    main()
