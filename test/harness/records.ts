import { join } from 'node:path';
import { pino } from 'pino';
import { expect, vi } from 'vitest';
import { SUPERUSER } from '../../src/engine/port.ts';
import { openStore } from '../../src/state/control-store.ts';
import type { ClusterRecord } from '../../src/state/records.ts';
import type { TestServer } from './server.ts';

/** Puts rows of clusters into the control database as another gateway on it would, and waits until the server has them. */
export async function putClusters({ server }: TestServer, clusters: readonly ClusterRecord[]): Promise<void> {
  const socketPath = join(server.runFolder, 'control', '.s.PGSQL.5432');
  const store = await openStore({
    connection: () => ({ socketPath, user: SUPERUSER, database: 'postgres' }),
    log: pino({ level: 'silent' }),
  });
  try {
    await store.change((draft) => {
      for (const cluster of clusters) draft.put('clusters', cluster.id, cluster);
    });
  } finally {
    await store.close();
  }
  for (const { id } of clusters) {
    const question = { user: 'admin', principal: 'arn:aws:iam::123456789012:root', clusterId: id };
    await vi.waitFor(
      async () => {
        const { steps } = await server.wouldAdmit(question);
        expect(steps.find(({ step }) => step === 'cluster')?.text).not.toMatch(/^no cluster/);
      },
      { timeout: 10_000 },
    );
  }
}
