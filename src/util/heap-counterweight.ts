/** Few: one piece is alive at each young collection, and the young generation grows with what survives those, by 40 MB with pieces of 64 KB. */
const pieceElements = 250;
const pieceBytes = 8 * pieceElements;

/**
 * Puts as much on V8's heap, for nobody, as was taken outside of it and not on it.
 *
 * A young collection frees what died young outside of the heap, too, but it comes when enough was taken on the heap; what was taken outside
 * brings about full collections only. So who takes megabytes outside for a few small objects gets a full collection for each 30 of them,
 * where a young one does for a tenth of the price.
 */
export class HeapCounterweight {
  /** The last piece; a field that others could read, since what nobody can ever get is left out by V8, or by who bundles this. */
  piece: unknown = undefined;
  #owedBytes = 0;

  /**
   * @param outsideBytes what was taken outside and is short-lived, or a share of it
   * @param insideBytes of the objects on the heap that come with it
   */
  add(outsideBytes: number, insideBytes: number): void {
    this.#owedBytes = Math.max(0, this.#owedBytes + outsideBytes - insideBytes);
    for (; this.#owedBytes >= pieceBytes; this.#owedBytes -= pieceBytes)
      this.piece = new Array<undefined>(pieceElements);
  }
}
