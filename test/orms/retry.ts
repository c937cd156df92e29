/** The retry loop that the service's manual asks every client for: a transaction that has lost a conflict is done again. */
export async function withRetry<T>(transaction: () => Promise<T>): Promise<{ result: T; attempts: number }> {
  for (let attempts = 1; ; attempts++) {
    try {
      return { result: await transaction(), attempts };
    } catch (error) {
      if (!isConflict(error) || attempts === 20) throw error;
    }
  }
}

/** Libraries wrap the driver's error, or copy its fields. */
export function isConflict(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as { code?: unknown }).code === '40001' && /OC00[01]/.test(at.message)) return true;
  }
  return false;
}
