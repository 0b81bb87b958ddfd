import { Reading } from '../reading.ts';
import type { AcquiredRecords } from './acquired-records.ts';

/** The one reader of a share consumer: what a loop has in hand when it ends goes back at once, so that it is delivered again. */
export class ShareReading extends Reading<AcquiredRecords> {
  override end(undecided: boolean): void {
    if (undecided) for (const acquired of this.inHand) acquired.rewind();
    super.end(false);
  }
}
