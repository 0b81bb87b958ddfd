import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countReport } from '../../../tools/test/count-report.ts';

describe('countReport', () => {
  it('counts the tests of what Bun reports, within their suites', () => {
    const counts = countReport(
      'a.test.js',
      `<?xml version="1.0" encoding="UTF-8"?>
       <testsuites name="bun test" tests="5" failures="1" skipped="2">
         <testsuite name="a.test.js" file="a.test.js">
           <testsuite name="outer &lt;x&gt;">
             <testcase name="passes &quot;a&quot; &amp; b" classname="outer &lt;x&gt;" line="2" />
             <testcase name="fails" classname="outer &lt;x&gt;">
               <failure type="AssertionError" message="1 !== 2">AssertionError: Expected 1 to be 2&#10;      at a.test.js:2:90&#10;</failure>
             </testcase>
             <testcase name="skipped" classname="outer &lt;x&gt;"><skipped /></testcase>
             <testcase name="to do" classname="outer &lt;x&gt;"><skipped message="TODO" /></testcase>
           </testsuite>
           <testcase name="alone" classname="" />
         </testsuite>
       </testsuites>`,
    );
    assert.equal(counts.passed, 2);
    assert.deepEqual(counts.failures, [
      { where: 'a.test.js fails', what: 'AssertionError: Expected 1 to be 2\n      at a.test.js:2:90' },
    ]);
    assert.deepEqual(counts.skips, [
      { where: 'a.test.js skipped', reason: 'the report does not say why' },
      { where: 'a.test.js to do', reason: 'TODO' },
    ]);
  });

  it('leaves out the suites that Deno lists beside their tests, unless they are skipped as a whole', () => {
    const counts = countReport(
      'a.test.js',
      `<testsuites name="deno test">
         <testsuite name="./a.test.js">
           <testcase name="outer" line="2"><failure message="1 test step failed">1 test step failed.</failure></testcase>
           <testcase name="whole suite" line="3"><skipped/></testcase>
           <testcase name="outermost"></testcase>
         </testsuite>
         <testsuite name="ext:deno_node/testing.ts">
           <testcase name="outer &gt; passes"></testcase>
           <testcase name="outer &gt; fails"><failure message="Uncaught AssertionError"></failure></testcase>
         </testsuite>
       </testsuites>`,
    );
    assert.equal(counts.passed, 2);
    assert.deepEqual(counts.failures, [{ where: 'a.test.js outer > fails', what: 'Uncaught AssertionError' }]);
    assert.deepEqual(
      counts.skips.map(({ where }) => where),
      ['a.test.js whole suite'],
    );
  });

  it('tells a suite that fails by itself, in a hook for instance', () => {
    const report = `<testsuites><testsuite name="a">
      <testcase name="outer"><failure message="beforeAll failed">Error: no broker</failure></testcase>
      <testcase name="outer &gt; passes"></testcase>
    </testsuite></testsuites>`;
    assert.deepEqual(countReport('a.test.js', report).failures, [
      { where: 'a.test.js outer', what: 'Error: no broker' },
    ]);
  });
});
