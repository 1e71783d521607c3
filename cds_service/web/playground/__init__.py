"""The playground at `/`: fire a hook at a patient, see the cards, and why each recommendation speaks or is silent."""
