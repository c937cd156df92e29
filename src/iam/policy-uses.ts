import type { Reader } from './iam.ts';

/** How many entities have a managed policy attached, and for how many it is the permissions boundary. */
export interface PolicyUses {
  of(arn: string): { attached: number; boundaries: number };
}

export function countPolicyUses(reader: Pick<Reader, 'all'>): PolicyUses {
  const attached = new Map<string, number>();
  const boundaries = new Map<string, number>();
  const count = (uses: Map<string, number>, arn: string) => uses.set(arn, (uses.get(arn) ?? 0) + 1);
  for (const table of ['users', 'groups', 'roles'] as const) {
    for (const holder of reader.all(table)) for (const arn of holder.attached) count(attached, arn);
  }
  for (const table of ['users', 'roles'] as const) {
    for (const { boundary } of reader.all(table)) if (boundary !== null) count(boundaries, boundary);
  }
  return { of: (arn) => ({ attached: attached.get(arn) ?? 0, boundaries: boundaries.get(arn) ?? 0 }) };
}
