import type { CommandGroup } from './command.ts';
import { perfConsumeCommand } from './perf-consume-command.ts';
import { perfLatencyCommand } from './perf-latency-command.ts';
import { perfProduceCommand } from './perf-produce-command.ts';

/** `kavka perf`. */
export const perfCommands: CommandGroup = {
  name: 'perf',
  summary: 'measure how fast records are sent and read from here',
  about:
    'Measures this client on this machine against this cluster: rates, latencies, and what they cost this process.\n' +
    'What is sent stays in the topic: take one of its own, and delete it afterwards.',
  commands: [perfProduceCommand, perfConsumeCommand, perfLatencyCommand],
};
