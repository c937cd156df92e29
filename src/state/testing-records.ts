import type { ClusterRecord } from './records.ts';

/** A cluster like the one that a first start makes. */
export function clusterRecord(id: string, changes: Partial<ClusterRecord> = {}): ClusterRecord {
  return {
    id,
    region: 'us-east-1',
    createdAt: '2026-01-01T00:00:00.000Z',
    status: 'ACTIVE',
    deletionProtection: false,
    tags: {},
    policy: null,
    kmsKey: null,
    multiRegion: null,
    database: id,
    madeBy: null,
    ...changes,
  };
}
