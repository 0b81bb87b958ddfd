const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * Decides what `util.inspect` and `console.log` show of the instances of a class: `view`, under `name` if one is given.
 *
 * Called from a static block of the class: a computed member would say the same, but its type cannot stand in a declaration
 * file that is made from this file alone (`isolatedDeclarations`).
 */
export function inspectAs<T>(type: { readonly prototype: T }, view: (instance: T) => unknown, name?: string): void {
  const value = function (
    this: T,
    _depth: number,
    options: object,
    inspect: (value: unknown, options: object) => string,
  ): unknown {
    return name === undefined ? view(this) : `${name} ${inspect(view(this), options)}`;
  };
  Object.defineProperty(type.prototype, INSPECT, { value, configurable: true, writable: true });
}
