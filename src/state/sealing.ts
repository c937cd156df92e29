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
const NEW_VARIABLE = 'POSTERN_NEW_SEAL_KEY';
const FILE = 'seal.key';
/** The key to come, for as long as it is not known that everything is sealed under it. */
const NEXT_FILE = 'seal.key.next';

/**
 * The sealer of this data directory. Its key comes from `POSTERN_SEAL_KEY` (base64 of 32 bytes) or, where that is not
 * set, from the file `seal.key` in `folder`, made when missing.
 *
 * Throws an Error when the variable or the file does not hold a key, or when others than the owner may use the file.
 */
export async function loadSealer(options: { folder: string; env: NodeJS.ProcessEnv }): Promise<Sealer> {
  const text = options.env[VARIABLE];
  if (text !== undefined && text !== '') return createSealer(decodeKey(text, VARIABLE));
  const path = join(options.folder, FILE);
  return createSealer((await readKey(path)) ?? (await makeKey(options.folder, path)));
}

/** The same where there is a key; undefined where one would have to be made. */
export async function findSealer(options: { folder: string; env: NodeJS.ProcessEnv }): Promise<Sealer | undefined> {
  const text = options.env[VARIABLE];
  if (text !== undefined && text !== '') return createSealer(decodeKey(text, VARIABLE));
  const key = await readKey(join(options.folder, FILE));
  return key && createSealer(key);
}

/** A change of the sealing key. */
export interface KeyChange {
  next: Sealer;
  /** The new key is on the disk, beside the old one: only then anything may be sealed under it. */
  begin(): Promise<void>;
  /** Everything is sealed under the new key: the old one is gone then. */
  finish(): Promise<void>;
  /** Where the keys are. */
  kept: 'file' | 'environment';
}

/** A change of the key in the file that was cut off after it had begun; undefined where there is none. */
export async function unfinishedKeyChange(options: {
  folder: string;
  env: NodeJS.ProcessEnv;
}): Promise<KeyChange | undefined> {
  if (options.env[VARIABLE]) return undefined;
  const key = await readKey(join(options.folder, NEXT_FILE));
  return key && fileKeyChange(options.folder, key, true);
}

/**
 * A change to a new key, or the one that was cut off. A key from the environment is followed by the one in
 * `POSTERN_NEW_SEAL_KEY`, whose keeping is the operator's. Throws an Error when there is no new key to take.
 */
export async function prepareKeyChange(options: { folder: string; env: NodeJS.ProcessEnv }): Promise<KeyChange> {
  const { folder, env } = options;
  const [text, newText] = [env[VARIABLE], env[NEW_VARIABLE]];
  if (!text) {
    if (newText) throw new Error(`${NEW_VARIABLE} is for a key that comes from ${VARIABLE}; this one is in ${FILE}`);
    return (await unfinishedKeyChange(options)) ?? fileKeyChange(folder, randomBytes(KEY_BYTES), false);
  }
  if (!newText) throw new Error(`the sealing key comes from ${VARIABLE}: the new one must be in ${NEW_VARIABLE}`);
  const key = decodeKey(newText, NEW_VARIABLE);
  if (key.equals(decodeKey(text, VARIABLE))) throw new Error(`${NEW_VARIABLE} is the key that is in use`);
  const nothing = async () => undefined;
  return { next: createSealer(key), begin: nothing, finish: nothing, kept: 'environment' };
}

function fileKeyChange(folder: string, key: Buffer, begun: boolean): KeyChange {
  return {
    next: createSealer(key),
    async begin() {
      if (!begun) await makeKey(folder, join(folder, NEXT_FILE), key);
    },
    async finish() {
      await rename(join(folder, NEXT_FILE), join(folder, FILE));
      await syncFolder(folder);
    },
    kept: 'file',
  };
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
async function makeKey(folder: string, path: string, made = randomBytes(KEY_BYTES)): Promise<Buffer> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `seal.key.${randomBytes(6).toString('hex')}.new`);
  const file = await open(draft, 'wx', 0o600);
  try {
    try {
      await file.writeFile(`${made.toString('base64')}\n`);
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
