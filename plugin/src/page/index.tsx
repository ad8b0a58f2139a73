import { createRoot } from 'react-dom/client';

import { App } from './App';
import { enableRefresh } from './perses';

enableRefresh();
const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App />);
