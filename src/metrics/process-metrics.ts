import { readdirSync } from 'node:fs';
import type { Registry } from './registry.ts';

/** In ms: how often the event loop's lag is measured. */
const SAMPLE_INTERVAL = 100;
const LAG_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What the process takes of its machine, under the names that Prometheus clients give these. */
export function readProcess(registry: Registry, startedAt: Date): void {
  registry.read('counter', 'process_cpu_seconds_total', 'CPU time of this process, without PostgreSQL’s.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  registry.read('gauge', 'process_resident_memory_bytes', 'Resident memory of this process.', () =>
    process.memoryUsage.rss(),
  );
  registry.read(
    'gauge',
    'nodejs_heap_size_used_bytes',
    'Used heap of this process.',
    () => process.memoryUsage().heapUsed,
  );
  registry.read('gauge', 'process_start_time_seconds', 'When the server was started, in Unix time.', () =>
    Math.round(startedAt.getTime() / 1000),
  );
  registry.read('gauge', 'process_open_fds', 'Open file descriptors of this process, where the system tells.', () => {
    try {
      return [[{}, readdirSync('/proc/self/fd').length]];
    } catch {
      return [];
    }
  });
}

/** Measures how late timers come: all connections wait for that. Returns how to end it. */
export function measureLag(registry: Registry, every = SAMPLE_INTERVAL, now = () => performance.now()): () => void {
  const lag = registry.histogram('postern_event_loop_lag_seconds', 'How late a timer comes.', [], LAG_BOUNDS);
  let due = now() + every;
  const timer = setInterval(() => {
    const late = Math.max(0, now() - due);
    lag.observe({}, late / 1000);
    due = now() + every;
  }, every);
  timer.unref();
  return () => clearInterval(timer);
}
