/** When, where and for what a long-term key was last used (GetAccessKeyLastUsed). Forgotten when the process ends. */
export interface KeyUse {
  at: Date;
  service: string;
  region: string;
}

export interface KeyUses {
  /** To be told only of a key whose signature was right; temporary keys are passed over. */
  note(accessKeyId: string, use: KeyUse): void;
  last(accessKeyId: string): KeyUse | undefined;
}

/** Deleted keys stay noted, so the oldest uses are dropped beyond this. */
const MAX_KEYS = 20_000;

export function createKeyUses(): KeyUses {
  const uses = new Map<string, KeyUse>();
  return {
    note(accessKeyId, use) {
      if (!accessKeyId.startsWith('AKIA')) return;
      uses.delete(accessKeyId);
      uses.set(accessKeyId, use);
      if (uses.size > MAX_KEYS) for (const oldest of uses.keys()) return void uses.delete(oldest);
    },
    last: (accessKeyId) => uses.get(accessKeyId),
  };
}
