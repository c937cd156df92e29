import { randomBytes } from 'node:crypto';
import { clusterArn } from '../clusters/names.ts';
import { createMemoryStore } from '../state/memory-store.ts';
import { createSealer } from '../state/sealing.ts';
import { bootstrapAccount } from './bootstrap.ts';
import type { Iam } from './iam.ts';
import { createKeyUses } from './key-uses.ts';

export const ACCOUNT = '123456789012';
export const OTHER = '210987654321';
export const REGION = 'us-east-1';
export const ID = 'abcdefghijklmnopqrstuvwxyz';
export const CLUSTER = clusterArn(ID, { region: REGION, account: ACCOUNT });
export const NOW = new Date('2026-03-01T12:00:00Z');
export const arn = (rest: string, account = ACCOUNT) => `arn:aws:iam::${account}:${rest}`;

export type Statement = Record<string, unknown>;
export const document = (...Statement: Statement[]) => JSON.stringify({ Version: '2012-10-17', Statement });
export const allow = (Action: unknown, Resource: unknown = '*', more: Statement = {}): Statement => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...more,
});
export const deny = (Action: unknown, Resource: unknown = '*', more: Statement = {}): Statement => ({
  ...allow(Action, Resource, more),
  Effect: 'Deny',
});
export const when = (operator: string, key: string, value: unknown): Statement => ({
  Condition: { [operator]: { [key]: value } },
});

export interface Member {
  policies?: Record<string, string>;
  attached?: string[];
  boundary?: string;
  groups?: string[];
  tags?: { Key: string; Value: string }[];
}

const ENTITY = { path: '/', createdAt: NOW.toISOString(), tags: [], attached: [], boundary: null, policies: {} };

/** An account with its cluster, and a clock that moves by `step` ms whenever it is read. */
export async function makeAccount() {
  const store = createMemoryStore();
  const sealer = createSealer(randomBytes(32));
  const setup = { account: ACCOUNT, region: REGION, clusterId: ID, now: NOW, random: randomBytes };
  await bootstrapAccount(store, sealer, setup);
  const clock = { now: NOW, step: 0 };
  const now = () => {
    clock.now = new Date(clock.now.getTime() + clock.step);
    return clock.now;
  };
  const iam: Iam = { store, sealer, account: ACCOUNT, now, random: randomBytes, keyUses: createKeyUses() };

  async function add(type: 'user' | 'role' | 'group', name: string, member: Member = {}): Promise<void> {
    await iam.store.change((draft) => {
      const entity = { ...ENTITY, name, ...member };
      if (type === 'user') draft.put('users', name, { groups: [], ...entity, id: `AIDA${name}` });
      else if (type === 'group') draft.put('groups', name, { ...entity, id: `AGPA${name}` });
      else {
        draft.put('roles', name, {
          ...entity,
          id: `AROA${name}`,
          description: '',
          maxSessionDuration: 3600,
          trustPolicy: '{}',
          trustPrincipals: {},
        });
      }
    });
  }

  async function addPolicy(name: string, text: string): Promise<string> {
    const key = arn(`policy/${name}`);
    const createdAt = NOW.toISOString();
    await iam.store.change((draft) => {
      draft.put('managedPolicies', key, {
        name,
        id: `ANPA${name}`,
        path: '/',
        description: '',
        createdAt,
        updatedAt: createdAt,
        tags: [],
        versions: [{ id: 'v1', document: text, createdAt }],
        defaultVersion: 'v1',
        lastVersion: 1,
      });
    });
    return key;
  }

  return { iam, clock, add, addPolicy };
}

export type Account = Awaited<ReturnType<typeof makeAccount>>;
