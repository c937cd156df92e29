/** Runs in a process of its own: how long one core reads a statement, in µs. Prints one JSON line. */
import { Reader } from '../src/gateway/reader.ts';
import { Statements } from '../src/gateway/statements.ts';
import { cstring, message } from '../src/pgwire/messages.ts';

/** In ms. */
const WARM_UP = 500;
const MEASURED = 1_500;

const reader = await Reader.create();
const statements = new Statements('admin');

/** A Query message, read and translated as the gateway does it. */
function query(frame: Buffer): void {
  const original = frame.toString('latin1', 5, frame.length - 1);
  const reading = reader.read(original);
  if (reading) statements.translation(original, { reading, simple: true });
}

const SHORT = [
  'SELECT abalance FROM pgbench_accounts WHERE aid = ',
  'UPDATE pgbench_tellers SET tbalance = tbalance + 5 WHERE tid = ',
  "INSERT INTO pgbench_history (tid, bid, mtime) VALUES (1, now(), 'x') RETURNING ",
  'DELETE FROM orders WHERE id = ',
];
const LONG = `SELECT o.id, o.created_at, c.name, count(*) AS items, sum(i.price * i.quantity) AS total
FROM orders o
JOIN customers c ON c.id = o.customer_id
LEFT JOIN LATERAL (
  SELECT price, quantity
  FROM order_items
  WHERE order_id = o.id
) i ON true
WHERE o.created_at BETWEEN $1 AND $2
  AND o.status IN ('new', 'paid', 'sent')
  AND NOT EXISTS (
    SELECT 1
    FROM refunds r
    WHERE r.order_id = o.id
      AND r.amount > 0
  )
GROUP BY o.id, o.created_at, c.name
HAVING sum(i.price * i.quantity) > 100
ORDER BY o.created_at DESC
LIMIT `;

const frame = (sql: string) => message('Q', cstring(sql));

/** By CPU time, not by the clock: what one core does, whatever else the machine is doing. */
function microseconds(work: (n: number) => void): number {
  let count = 0;
  const until = performance.now() + WARM_UP;
  while (performance.now() < until) work(count++);
  const first = count;
  const began = performance.now();
  const before = process.cpuUsage();
  while (performance.now() - began < MEASURED) for (let i = 0; i < 100; i++) work(count++);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (count - first);
}

const known = SHORT.map((sql) => frame(`${sql}1`));
// Every text is another one, and so none of them is remembered.
const result = {
  known: microseconds((n) => query(known[n % known.length] as Buffer)),
  numbers: microseconds((n) => query(frame(`${SHORT[n % SHORT.length]}${n}`))),
  short: microseconds((n) => query(frame(`${SHORT[n % SHORT.length]}a${n}`))),
  long: microseconds((n) => query(frame(`${LONG}${n} OFFSET a${n}`))),
  refused: microseconds((n) => query(frame(`TRUNCATE t${n}`))),
};
console.log(JSON.stringify(result));
