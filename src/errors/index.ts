export * from './acknowledge-error.ts';
export * from './admin-error.ts';
export * from './broker-error.ts';
export * from './broker-error-codes.ts';
export * from './error-codes.ts';
export * from './kafka-error.ts';
export * from './send-error.ts';
