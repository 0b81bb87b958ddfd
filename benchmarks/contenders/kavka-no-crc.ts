export { withoutCrcs as contender } from './kavka.ts';
