import { Watchable } from '../watch.ts';

/** What the cluster knows of one broker. */
export class BrokerState {
  readonly id: number;
  readonly rack: string | null;
  /** Where clients find it, per listener name; filled when its server listens. */
  readonly endpoints: Map<string, { readonly host: string; readonly port: number }> = new Map();
  /** What was set for this broker alone; see `ClusterState.brokerConfig`. */
  readonly configs: Map<string, string> = new Map();
  /** Counts its starts, as the controller does. */
  epoch = 1;
  /** Whether it serves requests. */
  isRunning = true;
  /** Told when it stops, starts, or loses a role. */
  readonly changed: Watchable = new Watchable();

  constructor(id: number, rack: string | null) {
    this.id = id;
    this.rack = rack;
  }
}
