import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sealer } from './sealer.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1.';
/** Secrets are keys, tokens and small claims; nothing longer is ever sealed. */
const MAX_CONTENT_BYTES = 64 * 1024;
const MAX_SEALED_LENGTH = VERSION.length + Math.ceil(((MAX_CONTENT_BYTES + NONCE_BYTES + TAG_BYTES) * 4) / 3);
const VARIABLE = 'POSTERN_SEAL_KEY';

/**
 * The sealer of this data directory. Its key comes from `POSTERN_SEAL_KEY` (base64 of 32 bytes) or, where that is not
 * set, from the file `seal.key` in `folder`, made when missing.
 *
 * Throws an Error when the variable or the file does not hold a key, or when others than the owner may use the file.
 */
export async function loadSealer(options: { folder: string; env: NodeJS.ProcessEnv }): Promise<Sealer> {
  const text = options.env[VARIABLE];
  if (text !== undefined && text !== '') return createSealer(decodeKey(text, VARIABLE));
  const path = join(options.folder, 'seal.key');
  return createSealer((await readKey(path)) ?? (await makeKey(options.folder, path)));
}

/** The same where there is a key; undefined where one would have to be made. */
export async function findSealer(options: { folder: string; env: NodeJS.ProcessEnv }): Promise<Sealer | undefined> {
  const text = options.env[VARIABLE];
  if (text !== undefined && text !== '') return createSealer(decodeKey(text, VARIABLE));
  const key = await readKey(join(options.folder, 'seal.key'));
  return key && createSealer(key);
}

/** AES-256-GCM with a random nonce (NIST SP 800-38D §8.2.2): at most 2^32 texts under one key. */
export function createSealer(master: Buffer): Sealer {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', master, '', `postern ${purpose}`, KEY_BYTES));
  // The master key itself encrypts nothing, so that no derived key can ever equal the one that seals.
  const key = derive('seal v1');
  const openBytes = (sealed: string, context: string): Buffer | undefined => {
    if (sealed.length > MAX_SEALED_LENGTH || !sealed.startsWith(VERSION)) return undefined;
    const encoded = sealed.slice(VERSION.length);
    const bytes = Buffer.from(encoded, 'base64url');
    // The decoder skips what is not base64url; one sealed text must have one spelling.
    if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== encoded) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const content = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([content, decipher.final()]);
    } catch {
      return undefined;
    }
  };
  return {
    seal(content, context) {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      if (bytes.length > MAX_CONTENT_BYTES) throw new RangeError('the content is too long to seal');
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(context));
      const sealed = Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
      return VERSION + sealed.toString('base64url');
    },
    open: (sealed, context) => openBytes(sealed, context)?.toString('utf8'),
    openBytes,
    derive: (purpose) => derive(`derive ${purpose}`),
  };
}

function decodeKey(text: string, where: string): Buffer {
  const encoded = text.trim();
  const key = Buffer.from(encoded, 'base64');
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(encoded) || key.length !== KEY_BYTES) {
    throw new Error(`${where} must hold ${KEY_BYTES} bytes in base64`);
  }
  return key;
}

async function readKey(path: string): Promise<Buffer | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(`${path} is not a file`);
    // Windows has no such modes; the folder's own rights protect the file there.
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      throw new Error(`${path} can be used by others than its owner; run: chmod 600 ${path}`);
    }
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return decodeKey(buffer.toString('latin1', 0, bytesRead), path);
  } finally {
    await file.close();
  }
}

/** Link instead of rename: of two processes that make the key at once, the second must find the first one's. */
async function makeKey(folder: string, path: string): Promise<Buffer> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `seal.key.${randomBytes(6).toString('hex')}.new`);
  const file = await open(draft, 'wx', 0o600);
  try {
    try {
      await file.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch(async (error: NodeJS.ErrnoException) => {
      // Some file systems have no hard links; there, two makers at once are not told apart.
      if (['EPERM', 'ENOTSUP', 'ENOSYS'].includes(error.code ?? '')) await rename(draft, path);
      else if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  await syncFolder(folder);
  const key = await readKey(path);
  if (!key) throw new Error(`${path} vanished while it was made`);
  return key;
}

/** A new name is durable only when its folder is; Windows cannot open folders. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
