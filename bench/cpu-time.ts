/** In ms. */
const WARM_UP = 500;
const MEASURED = 1_500;

/** CPU time of one call in µs, warmed up: what one core takes for it, whatever else the machine is doing. */
export function cpuTime(work: () => void): number {
  const until = performance.now() + WARM_UP;
  while (performance.now() < until) work();
  const began = performance.now();
  const before = process.cpuUsage();
  let count = 0;
  while (performance.now() - began < MEASURED) {
    for (let i = 0; i < 100; i++) work();
    count += 100;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
