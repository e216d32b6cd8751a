-- The last bid of each bidder in each auction; in windows, where Nexmark keeps correcting its rows.
SELECT auction, bidder, price, channel, url, `dateTime`, extra
FROM (
    SELECT *,
        ROW_NUMBER() OVER (
            PARTITION BY window_start, window_end, bidder, auction ORDER BY `dateTime` DESC
        ) AS rank_number
    FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
)
WHERE rank_number <= 1
