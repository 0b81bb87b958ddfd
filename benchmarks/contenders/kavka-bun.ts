export { contender } from './kavka.ts';
