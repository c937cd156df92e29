/** The thread that reads long texts; see reader.ts. Takes a text, answers with its Reading. */
import { parentPort } from 'node:worker_threads';
import { Parser } from '../sql/parse.ts';
import { readText } from './reading.ts';

const parser = await Parser.create();

parentPort?.on('message', async (sql: string) => {
  await parser.ready();
  parentPort?.postMessage(readText(sql, parser));
});
