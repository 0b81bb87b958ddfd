/** How much processor time brokers on this machine have used, from the system's own books. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * The processes of the brokers behind some addresses on this machine, their children included; none where that cannot be seen: another
 * machine, another system than Linux, or processes of another user.
 *
 * @param containers ids of the containers that the brokers run in; without any, whoever listens on the ports is taken
 */
export function brokerProcesses(servers: readonly string[], containers: readonly string[] = []): readonly number[] {
  try {
    const known = containers.length > 0 ? containers : containersOf(servers);
    const roots = known.length > 0 ? known.map(processOf) : listeners(servers.map(portOf));
    return withChildren(roots);
  } catch {
    return [];
  }
}

/** User and system time of the processes so far, µs; in steps of 10 ms, as the system counts. */
export function processorMicros(processes: readonly number[]): number {
  return processes.reduce((sum, pid) => sum + ticksOf(pid), 0) * microsPerTick;
}

/** Resident memory of a process, MB. */
export function residentMb(pid: number): number {
  const found = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return (Number(found?.[1] ?? NaN) * 1024) / 1e6;
}

/** USER_HZ: what Linux counts in, on every architecture that Node runs on. */
const microsPerTick = 10_000;

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold blanks; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function portOf(server: string): number {
  return Number(server.slice(server.lastIndexOf(':') + 1));
}

function containersOf(servers: readonly string[]): readonly string[] {
  try {
    return servers.flatMap((server) => docker('ps', '--quiet', '--filter', `publish=${portOf(server)}`).split('\n'));
  } catch {
    return [];
  }
}

function processOf(container: string): number {
  return Number(docker('inspect', '--format', '{{.State.Pid}}', container));
}

function docker(...args: readonly string[]): string {
  return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Who listens on the ports: the sockets' numbers from the tables of TCP, then the process that has one of them open. */
function listeners(ports: readonly number[]): readonly number[] {
  const sockets = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
      readFileSync(table, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => fields[3] === '0A' && ports.includes(Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)))
        .map((fields) => `socket:[${fields[9]}]`),
    ),
  );
  return processIds().filter((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
    } catch {
      return false; // it has ended meanwhile, or is not ours to look at
    }
  });
}

function withChildren(roots: readonly number[]): readonly number[] {
  const found = new Set(roots);
  const parents = processIds().map((pid) => [pid, parentOf(pid)] as const);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return -1;
  }
}
