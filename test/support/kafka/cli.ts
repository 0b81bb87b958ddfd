import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { eventually } from '../eventually.ts';
import { isImageMade, localImage, makeImage } from './image/make-image.ts';
import { cacheDirectory } from './jars.ts';
import { Keeper } from './keeper.ts';
import { listenerNames } from './options.ts';
import type { KafkaDescription } from './options.ts';

const stateFile = path.join(cacheDirectory, 'kafka', 'by-hand.json');
const logFile = path.join(cacheDirectory, 'kafka', 'by-hand.log');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    brokers: { type: 'string', default: '1' },
    version: { type: 'string' },
    detach: { type: 'boolean', default: false },
    child: { type: 'boolean', default: false },
  },
});

if (positionals[0] === 'start') await (values.detach ? startDetached() : start());
else if (positionals[0] === 'stop') process.kill(saved().pid, 'SIGTERM');
else if (positionals[0] === 'image') positionals.slice(1).forEach(ensureImage);
else {
  console.error(
    'Usage: node test/support/kafka/cli.ts start [--brokers 1|3] [--version 4.3.1] [--detach] | stop | image 4.3.1 …',
  );
  process.exitCode = 2;
}

async function start(): Promise<void> {
  const keeper = new Keeper((line) => {
    console.error(line);
  });
  const address = await keeper.listen();
  const version = values.version === undefined ? {} : { version: values.version };
  const end = (): void => {
    if (values.child) rmSync(stateFile, { force: true });
    void keeper.close().then(() => process.exit(0));
  };
  process.once('SIGINT', end).once('SIGTERM', end);
  const cluster = await keeper.shared({ brokers: Number(values.brokers), ...version });
  const text = `${table(cluster.description)}\nexport KAVKA_TEST_KAFKA='${JSON.stringify(address)}'\n`;
  console.log(text);
  if (values.child) writeFileSync(stateFile, JSON.stringify({ pid: process.pid, text }));
  else console.log('Ctrl+C ends it');
  setInterval(() => undefined, 2 ** 30); // stays until it is told to end
}

function table(description: KafkaDescription): string {
  const rows = listenerNames.map((name) => `${name.padEnd(14)}${description.listeners[name]?.join(',') ?? '-'}`);
  const users = Object.entries(description.users ?? {});
  const names = users.map(([mechanism, user]) => `${mechanism} user ${user.username} password ${user.password}`);
  return [...rows, ...names].join('\n');
}

async function startDetached(): Promise<void> {
  if (existsSync(stateFile) && isAlive(saved().pid))
    throw new Error('One runs already: end it with "node test/support/kafka/cli.ts stop"');
  rmSync(stateFile, { force: true });
  mkdirSync(path.dirname(stateFile), { recursive: true });
  const log = openSync(logFile, 'w');
  const args = process.argv.slice(1).filter((arg) => arg !== '--detach');
  const child = spawn(process.execPath, [...args, '--child'], { detached: true, stdio: ['ignore', log, log] });
  child.unref();
  await eventually(() => child.exitCode !== null || existsSync(stateFile), 'Kafka to run', 600_000);
  if (child.exitCode !== null) throw new Error(`Cannot start Kafka:\n${readFileSync(logFile, 'utf8')}`);
  console.log(saved().text);
}

function saved(): { pid: number; text: string } {
  return JSON.parse(readFileSync(stateFile, 'utf8')) as { pid: number; text: string };
}

function ensureImage(version: string): void {
  const image = localImage(version);
  if (isImageMade(version)) console.log(`${image} is there`);
  else {
    makeImage(version, (line) => {
      console.log(line);
    });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
