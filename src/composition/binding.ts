/** Binds an address. Throws an Error that names the option to change. */
export async function bind<T>(
  option: string,
  host: string,
  port: number,
  listenAt: (address: { host: string; port: number }) => Promise<T>,
): Promise<T> {
  try {
    return await listenAt({ host, port });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why: Record<string, string> = {
      EADDRINUSE: `${option}: ${host}:${port} is in use`,
      EACCES: `${option}: ${host}:${port} may not be used by this user`,
      EADDRNOTAVAIL: `--host: ${host} is no address of this machine`,
    };
    throw new Error(why[code ?? ''] ?? message);
  }
}
