/** The page's entry. */
import { render } from 'preact';
import { App } from './app';

const page = document.getElementById('page');
if (!page) throw new Error('index.html has no element with the id "page" to show the fleet in.');
render(<App />, page);
