import { it } from 'vitest';
import { startTestServer } from '../harness/server.ts';
import { Schedule } from './schedule.ts';
import { readFileSync } from 'node:fs';
it('try', async () => {
  const server = await startTestServer();
  const s = new Schedule(server);
  try {
    for (const line of readFileSync('/tmp/try.txt','utf8').split('\n')) {
      if (!line.trim()) continue;
      if (line.startsWith('#')) { console.log(line); continue; }
      const [p, l] = line.startsWith('X ') ? ['extended', line.slice(2)] as const : ['simple', line] as const;
      const t = performance.now();
      const out = await Promise.race([s.run(l, p), new Promise(r => setTimeout(() => r('TIMEOUT'), 4000))]);
      console.log(`${line}   =>   ${out}   ${(performance.now()-t).toFixed(1)} ms`);
    }
  } finally {
    console.log(server.log.filter(l => l.level as number >= 40).map(l => JSON.stringify(l)).join('\n'));
    await s.end(); await server.stop(); }
}, 60000);
