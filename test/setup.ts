/** Many things that wait on one signal share a listener (`Waits`); Node's warning that too many do fails the run. */
process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') throw warning;
});
