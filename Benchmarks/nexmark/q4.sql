-- The average of the prices at which auctions closed, by category, of the auctions opened in each ten seconds.
WITH Bids AS (
    SELECT A.id, A.category, A.`dateTime`, B.price
    FROM auction AS A
    JOIN bid AS B
    ON A.id = B.auction
        AND B.`dateTime` BETWEEN A.`dateTime` AND A.`dateTime` + INTERVAL '20' SECOND
        AND B.`dateTime` <= A.expires
)
SELECT Q.category, AVG(Q.final) AS final, Q.starttime
FROM (
    SELECT MAX(price) AS final, id, category, window_start AS starttime, window_end AS endtime
    FROM TABLE(TUMBLE(TABLE Bids, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
    GROUP BY id, category, window_start, window_end
) AS Q
GROUP BY Q.category, Q.starttime, Q.endtime
