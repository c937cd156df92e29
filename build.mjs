// Builds dist/ from src/. Type errors are the business of `npm run check`; this must stay fast enough to run before every start.
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const entry = join(root, 'dist', 'cli', 'main.js');

/** The newest modification time (ms) below a folder. */
function newest(folder) {
  let time = 0;
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, item.name);
    time = Math.max(time, item.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return time;
}

function isFresh() {
  if (!existsSync(entry)) return false;
  const built = statSync(entry).mtimeMs;
  return (
    ['build.mjs', 'package.json'].every((file) => statSync(join(root, file)).mtimeMs <= built) &&
    newest(join(root, 'src')) <= built
  );
}

// An installed package has dist/ and no src/: there is nothing to build.
if (existsSync(join(root, 'src')) && !(process.argv.includes('--if-stale') && isFresh())) {
  const { build } = await import('esbuild');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts', 'src/gateway/reader-thread.ts'],
    outdir: 'dist',
    outbase: 'src',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    sourcemap: 'linked',
    loader: { '.sql': 'text' },
    logLevel: 'warning',
  });
  chmodSync(entry, 0o755);
}
